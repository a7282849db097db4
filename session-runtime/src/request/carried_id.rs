//! The id that came with a request for one session.

use http::header::HeaderName;
use http::{HeaderMap, Method};

use crate::cookie::{self, SameSite};
use crate::id::SharedId;

/// The id that came.
#[derive(Debug)]
pub(crate) enum CarriedId {
    None,
    /// None came, but the browser may be holding the cookie back.
    Withheld,
    One {
        id: SharedId,
        by_cookie: bool,
    },
    /// The cookie appears more than once, with different ids.
    #[expect(clippy::box_collection, reason = "it is rare, and the others are small")]
    Ambiguous(Box<Vec<SharedId>>),
}

impl Clone for CarriedId {
    #[inline]
    fn clone(&self) -> Self {
        match self {
            Self::One { id, by_cookie } => Self::One { id: id.clone(), by_cookie: *by_cookie },
            Self::None => Self::None,
            Self::Withheld => Self::Withheld,
            Self::Ambiguous(ids) => ambiguous(ids),
        }
    }
}

/// Of its own, so that the rest is small enough to be inlined.
#[cold]
fn ambiguous(ids: &[SharedId]) -> CarriedId {
    CarriedId::Ambiguous(Box::new(ids.to_vec()))
}

/// The most ids of one request that are kept. A logout ends all that are.
const MOST_KEPT: usize = 64;

impl CarriedId {
    /// The ids that the cookies of this name have.
    pub(crate) fn in_cookies(headers: &HeaderMap, name: &str) -> Self {
        let mut carried = Self::None;
        for header in cookie::cookie_headers(headers) {
            for value in cookie::Values::of(header, name) {
                if let Some(id) = SharedId::parse(cookie::unquoted(value)) {
                    carried.add(id);
                }
            }
        }
        carried
    }

    fn add(&mut self, id: SharedId) {
        match self {
            Self::None | Self::Withheld => *self = Self::One { id, by_cookie: true },
            Self::One { id: first, .. } if *first == id => {}
            Self::One { id: first, .. } => *self = Self::Ambiguous(Box::new(vec![first.clone(), id])),
            Self::Ambiguous(ids) => {
                if ids.len() < MOST_KEPT && !ids.contains(&id) {
                    ids.push(id);
                }
            }
        }
    }

    /// That none came says nothing if the browser keeps the cookie off such a request (RFC 6265bis, section 5.8.3).
    pub(crate) fn or_withheld(self, method: &Method, headers: &HeaderMap, same_site: SameSite) -> Self {
        match self {
            Self::None if is_withheld(method, headers, same_site) => Self::Withheld,
            other => other,
        }
    }

    pub(crate) fn ids(&self) -> &[SharedId] {
        match self {
            Self::None | Self::Withheld => &[],
            Self::One { id, .. } => std::slice::from_ref(id),
            Self::Ambiguous(ids) => ids,
        }
    }

    /// The client has an id in its cookie.
    pub(crate) const fn is_by_cookie(&self) -> bool {
        matches!(self, Self::One { by_cookie: true, .. } | Self::Ambiguous(_))
    }

    /// The id, if exactly one came.
    pub(crate) const fn one(&self) -> Option<&SharedId> {
        match self {
            Self::One { id, .. } => Some(id),
            _ => None,
        }
    }
}

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
static SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
static SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");

fn is_withheld(method: &Method, headers: &HeaderMap, same_site: SameSite) -> bool {
    // Gone through, since that takes less than hashing the name.
    let says = |name: &HeaderName, value: &[u8]| headers.iter().any(|(of, said)| of == name && said.as_bytes() == value);
    says(&SEC_FETCH_SITE, b"cross-site")
        && match same_site {
            SameSite::Strict => true,
            // A link that is followed in the window itself brings the cookie.
            SameSite::Lax => !(method.is_safe() && says(&SEC_FETCH_MODE, b"navigate") && says(&SEC_FETCH_DEST, b"document")),
            SameSite::None => false,
        }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use http::HeaderValue;

    use super::*;
    use crate::cookie::header::tests::{expected, headers};
    use crate::id::SessionId;
    use crate::random::for_all;

    #[test]
    fn the_ids_in_the_cookies_are_the_valid_ones_each_once() {
        let many = vec("[a-c]{1,2}|[a-z;, ]{0,9}|\"[a-c]{0,2}\"?", 0..90).prop_map(|values| {
            let pairs: Vec<_> = values.iter().map(|value| format!("sid={value}; ")).collect();
            HeaderMap::from_iter([(http::header::COOKIE, pairs.concat().parse().unwrap())])
        });
        for_all(prop_oneof![headers(Just("sid".to_owned())), many], |headers| {
            let mut ids: Vec<&[u8]> = Vec::new();
            for value in expected(&headers, "sid") {
                let value = value.strip_prefix(b"\"").and_then(|value| value.strip_suffix(b"\"")).unwrap_or(value);
                if SessionId::is_valid(value) && !ids.contains(&value) {
                    ids.push(value);
                }
            }
            ids.truncate(MOST_KEPT);
            let carried = CarriedId::in_cookies(&headers, "sid");
            assert_eq!(carried.ids().iter().map(|id| id.as_bytes()).collect::<Vec<_>>(), ids);
            assert_eq!(matches!(carried, CarriedId::Ambiguous(_)), ids.len() > 1);
            assert_eq!(carried.one().is_some(), ids.len() == 1);
        });
    }

    #[test]
    fn a_cookie_may_be_held_back_from_a_request_that_another_site_causes() {
        use SameSite::{Lax, None, Strict};
        for (site, mode, dest, method, withheld) in [
            // A link that is followed.
            ("cross-site", "navigate", "document", "GET", [true, false, false]),
            // A form that is sent, as Apple's and Entra's `form_post`.
            ("cross-site", "navigate", "document", "POST", [true, true, false]),
            ("cross-site", "navigate", "iframe", "GET", [true, true, false]),
            ("cross-site", "cors", "empty", "GET", [true, true, false]),
            ("cross-site", "no-cors", "image", "GET", [true, true, false]),
            ("same-site", "cors", "empty", "POST", [false; 3]),
            ("same-origin", "cors", "empty", "POST", [false; 3]),
            ("none", "navigate", "document", "GET", [false; 3]),
            // An older browser, or none at all.
            ("", "", "", "POST", [false; 3]),
        ] {
            let mut headers = HeaderMap::new();
            for (name, value) in [("sec-fetch-site", site), ("sec-fetch-mode", mode), ("sec-fetch-dest", dest)] {
                if !value.is_empty() {
                    headers.insert(name, HeaderValue::from_static(value));
                }
            }
            for (same_site, withheld) in [Strict, Lax, None].into_iter().zip(withheld) {
                let carried = CarriedId::None.or_withheld(&method.parse().unwrap(), &headers, same_site);
                assert_eq!(matches!(carried, CarriedId::Withheld), withheld, "{site} {mode} {dest} {method} {same_site:?}");
            }
        }
    }
}
