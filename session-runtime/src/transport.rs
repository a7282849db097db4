//! Why a `Secure` cookie may not stick: what a request shows of how it came.

use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use http::header::{HOST, ORIGIN, REFERER};
use http::{HeaderMap, HeaderName, Uri};

/// How many requests without a session are looked at: a deployment that is wrong shows it in the first ones, and one that is
/// right need not pay for ever.
const LOOKED_AT: u32 = 128;

const X_FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");

static LOOKED: AtomicU32 = AtomicU32::new(0);
static WARNED: AtomicBool = AtomicBool::new(false);

/// How one request came.
pub(crate) struct Transport {
    loopback: bool,
    plain: AtomicBool,
}

impl Transport {
    pub(crate) fn of(headers: &HeaderMap, uri: &Uri) -> Self {
        // Only a build with debug assertions asks, so a release build does not look.
        let loopback = cfg!(debug_assertions) && host(headers, uri).is_some_and(is_loopback);
        Self { loopback, plain: AtomicBool::new(false) }
    }

    pub(crate) fn is_loopback(&self) -> bool {
        self.loopback
    }

    /// Remembers that the request visibly came over plain http.
    pub(crate) fn note(&self, headers: &HeaderMap) {
        if LOOKED.load(Ordering::Relaxed) < LOOKED_AT {
            LOOKED.fetch_add(1, Ordering::Relaxed);
            self.plain.store(is_plain(headers), Ordering::Relaxed);
        }
    }

    /// Says, once a process, why a `Secure` cookie that is about to be set will not stick.
    pub(crate) fn warn_if_plain(&self, cookie: &str) {
        if self.plain.load(Ordering::Relaxed) && !self.loopback && !WARNED.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                cookie,
                "a Secure session cookie is being set on a request that came over plain http: browsers will not keep it, so the \
                 session will not stick. Serve the site over https (and have the proxy say so with `X-Forwarded-Proto: https`), \
                 or, for development only, set `secure = false`"
            );
        }
    }
}

fn host<'a>(headers: &'a HeaderMap, uri: &'a Uri) -> Option<&'a str> {
    match headers.get(HOST) {
        Some(host) => host.to_str().ok(),
        None => uri.authority().map(http::uri::Authority::as_str),
    }
}

fn is_loopback(host: &str) -> bool {
    if let Some(rest) = host.strip_prefix("[::1]") {
        return rest.is_empty() || rest.starts_with(':');
    }
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<std::net::Ipv4Addr>().is_ok_and(|address| address.is_loopback())
}

/// The proxy says http, or the page that sent the request is one of http.
fn is_plain(headers: &HeaderMap) -> bool {
    match headers.get(X_FORWARDED_PROTO) {
        Some(scheme) => scheme.as_bytes().trim_ascii().eq_ignore_ascii_case(b"http"),
        None => {
            [ORIGIN, REFERER].iter().any(|name| headers.get(name).is_some_and(|from| from.as_bytes().starts_with(b"http://")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_this_machine_by_any_name() {
        for host in ["localhost", "localhost:3000", "app.localhost:80", "127.0.0.1:3000", "127.8.8.8", "[::1]", "[::1]:3000"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["example.com", "localhost.example.com", "127.0.0.1.example.com", "10.0.0.1", "[::2]:80", "[::1]x", ""] {
            assert!(!is_loopback(host), "{host}");
        }
    }
}
