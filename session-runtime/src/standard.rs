//! The standard implementations of the three callbacks, with the document's names, and the lazy middleware beside them.
//!
//! | callback | does | costs |
//! | --- | --- | --- |
//! | [`fetch_session_id`] | takes the id from the cookie, unless one is set already | nothing; a store call for each id where the cookie stands more than once with different ids |
//! | [`generate_session_id`] | 100 characters of `[A-Za-z0-9]`, 595 bits | nothing |
//! | [`session_middleware`] | creates a session for a request that has none | a store call for every request, two where it carries an id that is not there; a row for every visitor |
//! | [`lazy_session_middleware`] | leaves that to the first change | nothing, until a handler wants the session |

use std::future::Future;

use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::request::Parts;
use rand::Rng as _;

use crate::error::SessionError;
use crate::id::SessionId;
use crate::request::{Carried, Found, SessionRequestExt as _};
use crate::session::Session;

/// The document's length.
const ID_LEN: usize = 100;

/// Takes the session id from the cookie, unless one is set already.
///
/// The cookie is the layer's, `SESSION_ID` where there is none. A cookie that stands more than once with different ids costs a
/// store call for each: the id that exists counts, and where more than one does, none. What is no valid id is none.
///
/// ```
/// use session_runtime::{session_id_callback, standard, SessionRequestExt};
/// use axum::http::request::Parts;
///
/// /// The `Authorization` header first, then the cookie.
/// #[session_id_callback]
/// async fn bearer_or_cookie(request: &mut Parts) {
///     let header = request.headers.get("authorization").and_then(|value| value.to_str().ok());
///     if let Some(token) = header.and_then(|value| value.strip_prefix("Bearer ")) {
///         let token = token.to_owned();
///         request.set_session_id(token);
///     }
///     standard::fetch_session_id(request).await;
/// }
/// ```
pub async fn fetch_session_id(request: &mut Parts) {
    let carried = Carried::of(&mut request.extensions);
    if carried.set(carried.depth()).is_some() {
        return;
    }
    let current = carried.current.clone();
    let name = current.as_ref().map_or("SESSION_ID", |state| state.cookie_name());
    let id = match Found::in_cookies(&request.headers, name) {
        Found::Nothing => None,
        Found::One(id) => Some(id),
        Found::Several(ids) => match current {
            Some(state) => state.pick(&ids).await,
            None => None,
        },
    };
    Carried::of(&mut request.extensions).put(id);
}

/// A new session id: 100 characters of `[A-Za-z0-9]`, 595 bits, from a generator that is seeded by the operating system
/// (`ChaCha`, as strong as the system's own).
///
/// ```
/// # #[tokio::main(flavor = "current_thread")] async fn main() {
/// let id = session_runtime::standard::generate_session_id().await;
/// assert_eq!(id.len(), 100);
/// # }
/// ```
pub async fn generate_session_id() -> String {
    new_session_id().into_iter().map(char::from).collect()
}

/// The text of a standard id.
pub(crate) fn new_session_id() -> [u8; ID_LEN] {
    /// Filled up, so that every index of 6 bits is one; on one cache line, so that the time to read it tells nothing.
    #[repr(align(64))]
    struct Alphabet([u8; 64]);
    static ALPHABET: Alphabet = Alphabet(*b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789\0\0");
    /// The characters that one random number gives: 62^10 is just below 2^60.
    const PER_NUMBER: usize = 10;
    const BLOCK: u64 = 62_u64.pow(10);
    /// Numbers whose product with `BLOCK` ends in less than this would make some characters likelier than others (Lemire, 2019).
    const UNFAIR: u64 = BLOCK.wrapping_neg() % BLOCK;

    let mut rng = rand::rng();
    let mut random = [0; 8 * ID_LEN / PER_NUMBER];
    rng.fill_bytes(&mut random);
    let mut text = [0; ID_LEN];
    for (characters, bytes) in text.as_chunks_mut::<PER_NUMBER>().0.iter_mut().zip(random.as_chunks().0) {
        let mut number = u64::from_le_bytes(*bytes);
        while number.wrapping_mul(BLOCK) < UNFAIR {
            number = rng.next_u64();
        }
        for character in characters {
            let (digit, rest) = digit(number);
            *character = ALPHABET.0[digit % 64];
            number = rest;
        }
    }
    text
}

/// The first digit in base 62 of a fraction of 2^64, and what is left of it.
#[expect(clippy::cast_possible_truncation, reason = "less than 62, and the low half")]
const fn digit(fraction: u64) -> (usize, u64) {
    let product = fraction as u128 * 62;
    ((product >> 64) as usize, product as u64)
}

/// Creates a session for every request that has none, and adds its cookie to the response: the document's middleware.
///
/// A row is stored for every visitor, bot, 404 and preflight under the layer. Choose [`lazy_session_middleware`] unless every
/// visitor needs a session from the first request on.
///
/// A request costs one store call, which the handler's read shares; a new session one, two if the request carried an id that is
/// not there. Where the store fails, the answer is the error's, and the handler does not run.
///
/// ```
/// use session_runtime::{session, standard};
/// #[derive(Clone, Default)]
/// struct Visit;
/// let layer = session!(<Visit>, middleware = standard::session_middleware); // as without the option
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(|| async {})).layer(layer);
/// ```
pub async fn session_middleware<T: Clone + Send + Sync + 'static>(
    session_system: Session<T>,
    mut request: Request,
    next: Next,
) -> Response {
    session_system.fetch_session_id(&mut request).await;
    drive(session_system, request, |request| next.run(request)).await
}

/// The standard middleware over whatever comes next.
pub(crate) async fn drive<T, F>(session_system: Session<T>, mut request: Request, next: impl FnOnce(Request) -> F) -> Response
where
    T: Clone + Send + Sync + 'static,
    F: Future<Output = Response>,
{
    let exists = session_system.session_exists(&request);
    let created = match create_unless(exists, &session_system).await {
        Ok(created) => created,
        Err(error) => return error.into_response(),
    };
    if let Some(id) = created {
        request.set_session_id(id);
    }
    let response = next(request).await;
    match created {
        Some(id) => session_system.add_session_id(response, &id),
        None => response,
    }
}

async fn create_unless<T: Clone + Send + Sync + 'static>(
    exists: impl Future<Output = Result<bool, SessionError>>,
    session_system: &Session<T>,
) -> Result<Option<SessionId>, SessionError> {
    if exists.await? { Ok(None) } else { session_system.create_session().await.map(Some) }
}

/// Leaves the session alone until a handler wants it: no cookie, no row and no store call before.
///
/// A handler that reads a session which does not exist gets the default data; the first change creates it, and its cookie is
/// added to the response by itself. Called from a middleware of one's own, it makes that one lazy.
///
/// ```
/// use session_runtime::{session, standard};
/// #[derive(Clone, Default)]
/// struct Visit;
/// let layer = session!(<Visit>, middleware = standard::lazy_session_middleware);
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(|| async {})).layer(layer);
/// ```
pub async fn lazy_session_middleware<T: Clone + Send + Sync + 'static>(
    session_system: Session<T>,
    mut request: Request,
    next: Next,
) -> Response {
    session_system.make_lazy();
    session_system.fetch_session_id(&mut request).await;
    drive_lazily(session_system, request, |request| next.run(request)).await
}

/// The lazy middleware over whatever comes next.
pub(crate) async fn drive_lazily<T, F>(session_system: Session<T>, request: Request, next: impl FnOnce(Request) -> F) -> Response
where
    T: Clone + Send + Sync + 'static,
    F: Future<Output = Response>,
{
    match session_system.failure() {
        Some(error) => error.into_response(),
        None => next(request).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn standard_ids_are_100_letters_and_digits_each_as_likely_as_the_others() {
        let mut counts = [0_u32; 256];
        for _ in 0..2_000 {
            for byte in new_session_id() {
                assert!(byte.is_ascii_alphanumeric());
                counts[usize::from(byte)] += 1;
            }
        }
        // 200 000 characters, 3226 of each expected, with a standard deviation of 56.
        for byte in (b'A'..=b'Z').chain(b'a'..=b'z').chain(b'0'..=b'9') {
            let count = counts[usize::from(byte)];
            assert!((2_850..3_600).contains(&count), "{byte}: {count}");
        }
    }

    #[test]
    fn standard_ids_do_not_repeat() {
        let ids: std::collections::HashSet<_> = (0..10_000).map(|_| new_session_id()).collect();
        assert_eq!(ids.len(), 10_000);
    }
}
