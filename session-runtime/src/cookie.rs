//! Cookies: one pass over the `Cookie` header, and the `Set-Cookie` value.

use std::borrow::Cow;
use std::time::Duration;

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use memchr::memchr;

use crate::check;
use crate::error::ConfigError;
use crate::id::SessionId;

/// The longest `Max-Age` that browsers take: 400 days (RFC 6265bis, section 5.5).
const MAX_AGE_LIMIT: u64 = 34_560_000;

/// When a browser sends the cookie along with requests that other sites cause (RFC 6265bis, section 5.6.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SameSite {
    /// Never, not even when a user follows a link from another site: the first page looks logged out. It breaks the return from
    /// an OAuth provider.
    Strict,
    /// With top-level navigation by a safe method, such as a link that is followed.
    #[default]
    Lax,
    /// Always; implies `Secure`. For pages that other sites embed.
    None,
}

/// The options that shape the cookie.
pub(crate) struct CookieOptions {
    pub(crate) name: Cow<'static, str>,
    pub(crate) same_site: SameSite,
    pub(crate) secure: Option<bool>,
    pub(crate) path: Cow<'static, str>,
    pub(crate) domain: Option<Cow<'static, str>>,
    pub(crate) persistent: bool,
    pub(crate) partitioned: bool,
}

impl Default for CookieOptions {
    fn default() -> Self {
        Self {
            name: Cow::Borrowed("SESSION_ID"),
            same_site: SameSite::Lax,
            secure: None,
            path: Cow::Borrowed("/"),
            domain: None,
            persistent: false,
            partitioned: false,
        }
    }
}

impl CookieOptions {
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        check::cookie_name(&self.name)?;
        check::cookie_path(&self.path)?;
        check::host_prefix_path(&self.name, &self.path)?;
        if let Some(domain) = &self.domain {
            check::cookie_domain(domain)?;
            check::host_prefix_domain(&self.name)?;
        }
        if self.secure == Some(false) {
            check::not_secure(&self.name, self.same_site, self.partitioned)?;
        }
        Ok(())
    }

    pub(crate) fn into_template(self) -> CookieTemplate {
        let implied = check::implies_secure(&self.name, self.same_site, self.partitioned);
        let mut attributes = format!("; Path={}; HttpOnly", self.path);
        attributes.push_str(match self.same_site {
            SameSite::Strict => "; SameSite=Strict",
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
        });
        if let Some(domain) = &self.domain {
            attributes.push_str("; Domain=");
            attributes.push_str(domain);
        }
        if self.partitioned {
            attributes.push_str("; Partitioned");
        }
        CookieTemplate {
            start: format!("{}=", self.name),
            name_len: self.name.len(),
            attributes,
            secure: match self.secure {
                Some(false) => Secure::Off,
                None if !implied => Secure::UnlessLoopback,
                _ => Secure::On,
            },
            persistent: self.persistent,
        }
    }
}

/// Whether `Secure` is among the attributes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Secure {
    On,
    Off,
    /// Nothing was said: a build with debug assertions leaves it out for a loopback host.
    UnlessLoopback,
}

/// The `Set-Cookie` value but for the id.
pub(crate) struct CookieTemplate {
    start: String,
    name_len: usize,
    attributes: String,
    secure: Secure,
    pub(crate) persistent: bool,
}

impl CookieTemplate {
    pub(crate) fn name(&self) -> &str {
        &self.start[..self.name_len]
    }

    /// Whether a cookie set now would be `Secure`.
    pub(crate) fn is_secure(&self, loopback: bool) -> bool {
        match self.secure {
            Secure::On => true,
            Secure::Off => false,
            Secure::UnlessLoopback => !(loopback && cfg!(debug_assertions)),
        }
    }

    /// The value that hands the client the id. `expires_in` becomes `Max-Age` where the cookie is persistent.
    pub(crate) fn set(&self, id: &SessionId, expires_in: Duration, loopback: bool) -> Option<HeaderValue> {
        let max_age = self.persistent.then(|| expires_in.as_secs().min(MAX_AGE_LIMIT));
        self.value(id.as_bytes(), max_age, loopback)
    }

    /// The value that makes the client forget the id: every attribute stands in it again, else a browser would keep the cookie.
    pub(crate) fn remove(&self, loopback: bool) -> Option<HeaderValue> {
        self.value(b"", Some(0), loopback)
    }

    fn value(&self, id: &[u8], max_age: Option<u64>, loopback: bool) -> Option<HeaderValue> {
        let secure: &[u8] = if self.is_secure(loopback) { b"; Secure" } else { b"" };
        let max_age = max_age.map(|seconds| format!("; Max-Age={seconds}")).unwrap_or_default();
        // Made as long as it will be, so that it becomes the header's value as it is.
        let value = [self.start.as_bytes(), id, self.attributes.as_bytes(), secure, max_age.as_bytes()].concat();
        HeaderValue::try_from(value).ok()
    }
}

/// The values of the cookies of this name, in the order of the request.
pub(crate) fn values<'h, 'n>(headers: &'h HeaderMap, name: &'n str) -> impl Iterator<Item = &'h [u8]> + use<'h, 'n> {
    cookie_headers(headers).flat_map(move |header| Values::of(header, name))
}

/// The `Cookie` headers: HTTP/2 may split them. Where no header stands twice, one look-up is enough, and no list is gone through.
pub(crate) fn cookie_headers(headers: &HeaderMap) -> impl Iterator<Item = &HeaderValue> {
    let several = (headers.len() != headers.keys_len()).then(|| headers.get_all(COOKIE).iter());
    let mut one = if several.is_none() { headers.get(COOKIE) } else { None };
    let mut several = several;
    std::iter::from_fn(move || one.take().or_else(|| several.as_mut()?.next()))
}

/// The values of the pairs of one `Cookie` header that have this name (RFC 6265, section 5.4): split at `;`, then at the first `=`. A
/// pair without `=`, or with an empty name, is none of ours (CVE-2023-23934: `=__Host-sid=x` is not `__Host-sid`).
pub(crate) struct Values<'h, 'n> {
    rest: &'h [u8],
    name: &'n [u8],
}

impl<'h, 'n> Values<'h, 'n> {
    pub(crate) fn of(header: &'h HeaderValue, name: &'n str) -> Self {
        Self { rest: header.as_bytes(), name: name.as_bytes() }
    }
}

impl<'h> Iterator for Values<'h, '_> {
    type Item = &'h [u8];

    fn next(&mut self) -> Option<&'h [u8]> {
        while !self.rest.is_empty() {
            let end = memchr(b';', self.rest).unwrap_or(self.rest.len());
            let pair = self.rest[..end].trim_ascii();
            self.rest = self.rest.get(end + 1..).unwrap_or_default();
            // No name holds a `=`, so the first one is that behind the name.
            if let Some(value) = pair.strip_prefix(self.name).and_then(|rest| rest.strip_prefix(b"=")) {
                return Some(value);
            }
        }
        None
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::random::for_all;

    /// Names of cookies that are alike, and any others.
    fn name() -> impl Strategy<Value = String> {
        prop_oneof![prop::sample::select(vec!["sid", "__Host-sid", "si"]).prop_map(str::to_owned), "[!#-'*+.0-9A-Z^-z|~-]{1,6}"]
    }

    /// `Cookie` headers, beside others: of what cookies of these names are made of, in any order, and of any other bytes.
    pub(crate) fn headers(names: impl Strategy<Value = String>) -> impl Strategy<Value = HeaderMap> {
        let piece = prop_oneof![
            3 => prop::sample::select(vec![";", "=", " ", "\t", "; ", "\"", "sid", "__Host-sid", "x"]).prop_map(|text| text.as_bytes().to_vec()),
            2 => names.prop_map(|name| format!("{name}=").into_bytes()),
            1 => prop_oneof![Just(b'\t'), 0x20..0x7f_u8, 0x80..=0xff_u8].prop_map(|byte| vec![byte]),
        ];
        let header = vec(piece, 0..24).prop_map(|pieces| pieces.concat());
        let header = (prop_oneof![4 => Just("cookie"), 1 => Just("x-cookie")], header);
        vec(header, 0..4).prop_map(|headers| {
            let headers = headers.into_iter().map(|(name, value)| (name, HeaderValue::from_bytes(&value).unwrap()));
            headers.fold(HeaderMap::new(), |mut map, (name, value)| {
                map.append(name, value);
                map
            })
        })
    }

    /// The values of the cookies of a name, as RFC 6265 has them, section 4.2.1: pairs that `;` and white space separate, with a name
    /// before the first `=` and a value behind it.
    pub(crate) fn expected<'h>(headers: &'h HeaderMap, name: &str) -> Vec<&'h [u8]> {
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let mut values = Vec::new();
        for header in headers.get_all("cookie") {
            for pair in header.as_bytes().split(|byte| *byte == b';') {
                let Some(equals) = pair.iter().position(|byte| *byte == b'=') else { continue };
                let (before, mut value) = (&pair[..equals], &pair[equals + 1..]);
                let start = before.iter().position(|byte| !is_blank(byte)).unwrap_or(equals);
                if start == equals || before[start..] != *name.as_bytes() {
                    continue;
                }
                while let [rest @ .., last] = value
                    && is_blank(last)
                {
                    value = rest;
                }
                values.push(value);
            }
        }
        values
    }

    #[test]
    fn the_values_of_a_name_are_found_in_whatever_stands_in_the_headers() {
        let inputs = name().prop_flat_map(|name| (headers(Just(name.clone())), Just(name)));
        for_all(inputs, |(headers, name)| {
            assert_eq!(values(&headers, &name).collect::<Vec<_>>(), expected(&headers, &name));
        });
    }

    fn found(header: &[u8], name: &str) -> Vec<String> {
        let mut headers = HeaderMap::new();
        headers.insert(COOKIE, HeaderValue::from_bytes(header).unwrap());
        values(&headers, name).map(|value| String::from_utf8_lossy(value).into_owned()).collect()
    }

    #[test]
    fn only_the_exact_name_is_found() {
        assert_eq!(found(b"a=1; sid=2;sid=3;  sid=4 ; xsid=5; sidx=6", "sid"), ["2", "3", "4"]);
        for header in ["__HOST-sid=x", "%5F_Host-sid=x", "=__Host-sid=x", "__Host-sid", " =x", "__Host-sid =x"] {
            assert!(found(header.as_bytes(), "__Host-sid").is_empty(), "{header}");
        }
        assert_eq!(found(b"sid=a=b", "sid"), ["a=b"]);
        assert_eq!(found(b"\xff\xfe=1; sid=\xe9; sid=ok", "sid").len(), 2);
    }

    #[test]
    fn the_removal_repeats_every_attribute() {
        let options = CookieOptions {
            name: "sid".into(),
            domain: Some("example.com".into()),
            path: "/app".into(),
            same_site: SameSite::None,
            partitioned: true,
            persistent: true,
            ..CookieOptions::default()
        };
        let template = options.into_template();
        let id = SessionId::parse("x").unwrap();
        assert_eq!(
            template.set(&id, Duration::MAX, true).unwrap(),
            "sid=x; Path=/app; HttpOnly; SameSite=None; Domain=example.com; Partitioned; Secure; Max-Age=34560000"
        );
        assert_eq!(
            template.remove(true).unwrap(),
            "sid=; Path=/app; HttpOnly; SameSite=None; Domain=example.com; Partitioned; Secure; Max-Age=0"
        );
    }
}
