//! What a session adds to the response: the cookie, and what caches have to know (law 9).
//!
//! 1. A response whose session was read or changed varies by `Cookie`, so that no cache gives one client's page to another (CVE-2023-30861).
//! 2. A response with the session's cookie is not for a shared cache. A handler's `Cache-Control` stays only if it says `private` or `no-store`;
//!    anything else becomes `no-store`. What only some caches read, and believe more, goes.
//! 3. The `Set-Cookie` headers of others stay.

use std::time::Duration;

use axum::response::Response;
use http::header::{CACHE_CONTROL, SET_COOKIE, VARY};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::core::{Departing, SendCookie};
use crate::cookie::CookieTemplate;
use crate::id::SessionId;
use crate::transport::Transport;

/// Adds what the session owes the client.
pub(super) fn write(departing: &Departing, template: &CookieTemplate, transport: &Transport, response: &mut Response) {
    if !departing.used && !departing.added {
        return;
    }
    let headers = response.headers_mut();
    vary(headers);
    let cookie = match &departing.cookie {
        SendCookie::None => {
            // A middleware may have said something else since.
            if departing.added && headers.contains_key(&SET_COOKIE) {
                keep_from_shared_caches(headers);
            }
            return;
        }
        SendCookie::Set(id, max_age) => {
            if template.is_secure(transport.is_loopback()) {
                transport.warn_if_plain(template.name());
            }
            template.set(id, *max_age, transport.is_loopback())
        }
        SendCookie::Remove => template.remove(transport.is_loopback()),
    };
    put(headers, cookie, departing.added, template.name());
}

/// Adds the cookie of `id` before the response leaves; `again` if that was done before.
pub(super) fn add(
    id: &SessionId,
    max_age: Option<Duration>,
    again: bool,
    template: &CookieTemplate,
    transport: &Transport,
    response: &mut Response,
) {
    if template.is_secure(transport.is_loopback()) {
        transport.warn_if_plain(template.name());
    }
    put(response.headers_mut(), template.set(id, max_age, transport.is_loopback()), again, template.name());
}

/// An application's own answer takes the place of one that has headers of other layers, and cookies: these stay.
pub(super) fn keep(of: &HeaderMap, headers: &mut HeaderMap) {
    for value in of.get_all(&VARY) {
        headers.append(&VARY, value.clone());
    }
    for cookie in of.get_all(&SET_COOKIE) {
        headers.append(&SET_COOKIE, cookie.clone());
    }
    if of.contains_key(&SET_COOKIE) {
        keep_from_shared_caches(headers);
    }
}

fn put(headers: &mut HeaderMap, cookie: Option<HeaderValue>, again: bool, name: &str) {
    let Some(mut cookie) = cookie else { return };
    if again {
        take_back(headers, name);
    }
    cookie.set_sensitive(true);
    headers.append(SET_COOKIE, cookie);
    keep_from_shared_caches(headers);
}

#[inline]
fn keep_from_shared_caches(headers: &mut HeaderMap) {
    // These caches believe a header of their own before `Cache-Control` (RFC 9213; nginx).
    if headers.keys().any(is_for_some_caches) {
        let names: Vec<_> = headers.keys().filter(|name| is_for_some_caches(name)).cloned().collect();
        for name in names {
            headers.remove(name);
        }
    }
    // It is the usual case that there is none, so that comes first: one search instead of two.
    if !headers.append(&CACHE_CONTROL, const { HeaderValue::from_static("no-store") }) {
        return;
    }
    let mut values: Vec<_> = headers.get_all(CACHE_CONTROL).iter().cloned().collect();
    if values.pop().is_some() && values.iter().any(is_private) {
        put_all(headers, &CACHE_CONTROL, values);
    } else {
        headers.insert(CACHE_CONTROL, const { HeaderValue::from_static("no-store") });
    }
}

fn is_for_some_caches(name: &HeaderName) -> bool {
    let name = name.as_str();
    // No shorter name is one of them, and most are shorter.
    name.len() >= "edge-control".len()
        && (is_targeted(name) || matches!(name, "x-accel-expires" | "surrogate-control" | "edge-control"))
}

/// A targeted field, as `CDN-Cache-Control` is (RFC 9213). (The length comes first: it tells `content-length` apart.)
fn is_targeted(name: &str) -> bool {
    name.len() > "-cache-control".len() && name.ends_with("-cache-control")
}

/// `private` or `no-store`, and not for some headers only, as `private="x-name"` is (RFC 9111, section 5.2.2.7).
fn is_private(value: &HeaderValue) -> bool {
    let mut quoted = false;
    let mut directives = value.as_bytes().split(|&byte| {
        quoted ^= byte == b'"';
        byte == b',' && !quoted
    });
    directives.any(|directive| {
        let directive = directive.trim_ascii();
        directive.eq_ignore_ascii_case(b"private") || directive.eq_ignore_ascii_case(b"no-store")
    })
}

pub(super) fn vary(headers: &mut HeaderMap) {
    if !headers.append(&VARY, const { HeaderValue::from_static("cookie") }) {
        return;
    }
    let mut values: Vec<_> = headers.get_all(VARY).iter().cloned().collect();
    values.pop();
    let is_cookie = |value: &HeaderValue| {
        let mut names = value.as_bytes().split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        names.any(|name| name == b"*" || name.eq_ignore_ascii_case(b"cookie"))
    };
    if values.iter().any(is_cookie) {
        put_all(headers, &VARY, values);
    }
}

/// Takes a cookie back that was added before the session changed again; those of others stay.
fn take_back(headers: &mut HeaderMap, name: &str) {
    let is_ours =
        |value: &HeaderValue| value.as_bytes().strip_prefix(name.as_bytes()).is_some_and(|rest| rest.first() == Some(&b'='));
    let others = headers.get_all(SET_COOKIE).iter().filter(|value| !is_ours(value)).cloned().collect();
    put_all(headers, &SET_COOKIE, others);
}

fn put_all(headers: &mut HeaderMap, name: &HeaderName, values: Vec<HeaderValue>) {
    headers.remove(name);
    for value in values {
        headers.append(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(name: &'static str, values: &[&'static str]) -> HeaderMap {
        values.iter().map(|value| (HeaderName::from_static(name), HeaderValue::from_static(value))).collect()
    }

    fn all(headers: &HeaderMap, name: &str) -> Vec<String> {
        headers.get_all(name).iter().map(|value| value.to_str().unwrap().to_owned()).collect()
    }

    #[test]
    fn a_shared_cache_keeps_no_response_with_the_cookie() {
        for (handlers, becomes) in [
            (&[][..], &["no-store"][..]),
            (&["public, max-age=86400"], &["no-store"]),
            (&["max-age=60"], &["no-store"]),
            (&["s-maxage=60"], &["no-store"]),
            (&["immutable"], &["no-store"]),
            (&["no-cache"], &["no-store"]),
            (&["private"], &["private"]),
            (&["max-age=60,Private"], &["max-age=60,Private"]),
            (&["no-store, no-cache"], &["no-store, no-cache"]),
            (&["max-age=60", "private"], &["max-age=60", "private"]),
            (&["private=\"set-cookie\""], &["no-store"]),
            (&["no-cache=\"a, private, b\""], &["no-store"]),
            (&["no-cache=\"set-cookie\", private"], &["no-cache=\"set-cookie\", private"]),
            (&["public", "max-age=60"], &["no-store"]),
        ] {
            let mut headers = with("cache-control", handlers);
            keep_from_shared_caches(&mut headers);
            assert_eq!(all(&headers, "cache-control"), becomes, "{handlers:?}");
        }
    }

    #[test]
    fn what_only_some_caches_believe_goes() {
        for name in [
            "cdn-cache-control",
            "cloudflare-cdn-cache-control",
            "akamai-cache-control",
            "x-litespeed-cache-control",
            "surrogate-control",
            "x-accel-expires",
            "edge-control",
        ] {
            let mut headers = with(name, &["max-age=60"]);
            headers.insert("cache-control", HeaderValue::from_static("private"));
            keep_from_shared_caches(&mut headers);
            assert_eq!(headers, with("cache-control", &["private"]), "{name}");
        }
    }

    #[test]
    fn it_varies_by_the_cookie_once() {
        for (handlers, becomes) in [
            (&[][..], &["cookie"][..]),
            (&["accept"], &["accept", "cookie"]),
            (&["accept, Cookie"], &["accept, Cookie"]),
            (&["*"], &["*"]),
            (&["accept", "cookie"], &["accept", "cookie"]),
        ] {
            let mut headers = with("vary", handlers);
            vary(&mut headers);
            assert_eq!(all(&headers, "vary"), becomes, "{handlers:?}");
        }
    }

    #[test]
    fn a_cookie_that_is_added_again_takes_the_place_of_the_first_and_of_no_other() {
        let mut headers = with("set-cookie", &["sid=1; Path=/", "theme=dark", "sidx=2"]);
        put(&mut headers, Some(HeaderValue::from_static("sid=3")), true, "sid");
        assert_eq!(all(&headers, "set-cookie"), ["theme=dark", "sidx=2", "sid=3"]);
        put(&mut headers, Some(HeaderValue::from_static("sid=4")), false, "sid");
        assert_eq!(all(&headers, "set-cookie").len(), 4);
    }

    /// What is sent for a session, by a layer with the default options.
    fn sent(used: bool, added: bool, cookie: SendCookie) -> HeaderMap {
        let mut response = Response::new(axum::body::Body::empty());
        response.headers_mut().insert(SET_COOKIE, HeaderValue::from_static("theme=dark"));
        let (template, transport) = (template(), Transport::of(&HeaderMap::new(), &http::Uri::from_static("/")));
        if added {
            add(&SessionId::parse("first").unwrap(), None, false, &template, &transport, &mut response);
        }
        write(&Departing { used, added, cookie }, &template, &transport, &mut response);
        std::mem::take(response.headers_mut())
    }

    fn template() -> CookieTemplate {
        crate::cookie::CookieOptions::default().into_template()
    }

    #[test]
    fn what_a_session_adds_to_a_response() {
        let set = || SendCookie::Set(crate::id::SharedId::new(&SessionId::parse("second").unwrap()), None);
        for (used, added, cookie, ids, varies) in [
            (false, false, SendCookie::None, &[][..], false),
            // What was not used owes nothing.
            (false, false, set(), &[], false),
            (true, false, SendCookie::None, &[], true),
            (true, false, set(), &["second"], true),
            (true, true, set(), &["second"], true),
            (true, true, SendCookie::None, &["first"], true),
            (true, true, SendCookie::Remove, &[""], true),
        ] {
            let headers = sent(used, added, cookie);
            let prefix = format!("{}=", template().name());
            let cookies = all(&headers, "set-cookie");
            let ours: Vec<_> = cookies.iter().filter_map(|cookie| cookie.strip_prefix(&prefix)?.split(';').next()).collect();
            assert_eq!((&*ours, headers.contains_key(VARY)), (ids, varies));
            assert_eq!(cookies.len(), ids.len() + 1, "that of another layer stays");
            assert_eq!(all(&headers, "cache-control"), if ids.is_empty() { &[][..] } else { &["no-store"] });
        }
    }

    #[test]
    fn what_was_said_to_caches_after_the_cookie_was_added_is_taken_back() {
        for (cookie, becomes) in [(Some("sid=1"), "no-store"), (None, "public")] {
            let mut response = Response::new(axum::body::Body::empty());
            response.headers_mut().insert(CACHE_CONTROL, HeaderValue::from_static("public"));
            if let Some(cookie) = cookie {
                response.headers_mut().insert(SET_COOKIE, HeaderValue::from_static(cookie));
            }
            let transport = Transport::of(&HeaderMap::new(), &http::Uri::from_static("/"));
            let departing = Departing { used: true, added: true, cookie: SendCookie::None };
            write(&departing, &template(), &transport, &mut response);
            assert_eq!(all(response.headers(), "cache-control"), [becomes]);
        }
    }

    #[test]
    fn an_answer_in_the_place_of_another_keeps_its_cookies_and_what_it_varies_by() {
        let mut of = with("set-cookie", &["sid=1", "theme=dark"]);
        of.extend(with("vary", &["cookie", "accept"]));
        let mut headers = with("set-cookie", &["page=1"]);
        keep(&of, &mut headers);
        assert_eq!(all(&headers, "set-cookie"), ["page=1", "sid=1", "theme=dark"]);
        assert_eq!(all(&headers, "vary"), ["cookie", "accept"]);
        assert_eq!(all(&headers, "cache-control"), ["no-store"]);
        let mut headers = HeaderMap::new();
        keep(&with("vary", &["accept"]), &mut headers);
        assert_eq!(headers, with("vary", &["accept"]));
    }
}
