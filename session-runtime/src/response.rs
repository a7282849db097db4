//! What a session adds to the response: the cookie, and what caches have to know.

use axum::response::Response;
use http::header::{CACHE_CONTROL, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::id::SessionId;
use crate::state::{Owed, Progress, Stage, State};

/// Adds the cookie of `id`, or of the id that the session has by now.
pub(crate) fn add<T: Clone + Send + Sync + 'static>(state: &State<T>, response: &mut Response, id: &SessionId) {
    let mut progress = state.lock();
    let Some(id) = progress.id_to_add(id) else { return };
    if let Some(cookie) = cookie_for(state, &progress, &id) {
        take_back(&progress, response.headers_mut(), state.config.cookie.name());
        put(response.headers_mut(), cookie);
        progress.added = true;
        progress.owed = Owed::Nothing;
    }
}

/// Adds what the session owes the client. The head of the response leaves now.
pub(crate) fn finish<T: Clone + Send + Sync + 'static>(state: &State<T>, progress: &Progress<T>, response: &mut Response) {
    if !progress.used {
        return;
    }
    let headers = response.headers_mut();
    vary(headers);
    let cookie = match (progress.owed, &progress.stage) {
        (Owed::Set, Stage::Present(present)) => cookie_for(state, progress, &present.id),
        (Owed::Remove, _) => state.config.cookie.remove(state.transport.is_loopback()),
        _ => return,
    };
    if let Some(cookie) = cookie {
        take_back(progress, headers, state.config.cookie.name());
        put(headers, cookie);
    }
}

fn cookie_for<T: Clone + Send + Sync + 'static>(state: &State<T>, progress: &Progress<T>, id: &SessionId) -> Option<HeaderValue> {
    let loopback = state.transport.is_loopback();
    if state.config.cookie.is_secure(loopback) {
        state.transport.warn_if_plain(state.config.cookie.name());
    }
    let expires_in = match &progress.stage {
        Stage::Present(present) => present.record.expires_in,
        _ => state.config.limits.idle,
    };
    state.config.cookie.set(id, expires_in, loopback)
}

fn put(headers: &mut HeaderMap, mut cookie: HeaderValue) {
    cookie.set_sensitive(true);
    headers.append(SET_COOKIE, cookie);
    add_unless(headers, &CACHE_CONTROL, const { HeaderValue::from_static("no-store") }, |_| true);
}

/// Takes a cookie back that was added before the session changed again; those of others stay.
fn take_back<T>(progress: &Progress<T>, headers: &mut HeaderMap, name: &str) {
    if !progress.added {
        return;
    }
    let is_ours =
        |value: &HeaderValue| value.as_bytes().strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'='));
    let others: Vec<_> = headers.get_all(SET_COOKIE).iter().filter(|value| !is_ours(value)).cloned().collect();
    headers.remove(SET_COOKIE);
    for cookie in others {
        headers.append(SET_COOKIE, cookie);
    }
}

/// `Vary: Cookie`, so that no cache gives one client's page to another (CVE-2023-30861).
fn vary(headers: &mut HeaderMap) {
    add_unless(headers, &VARY, const { HeaderValue::from_static("cookie") }, |value| {
        let mut names = value.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        names.any(|name| name == b"*" || name.eq_ignore_ascii_case(b"cookie"))
    });
}

/// Adds a header, unless one of that name does already what it is for. It is the usual case that there is none, so that comes
/// first: one search instead of two.
fn add_unless(headers: &mut HeaderMap, name: &HeaderName, value: HeaderValue, does_it: impl Fn(&HeaderValue) -> bool) {
    if !headers.append(name, value) {
        return;
    }
    let mut values: Vec<_> = headers.get_all(name).iter().cloned().collect();
    values.pop();
    if values.iter().any(does_it) {
        headers.remove(name);
        for value in values {
            headers.append(name, value);
        }
    }
}
