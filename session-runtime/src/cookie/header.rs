//! One pass over the `Cookie` header.

use http::header::COOKIE;
use http::{HeaderMap, HeaderValue};
use memchr::memchr;

/// The values of the cookies of this name, in the order of the request.
pub(crate) fn values<'h, 'n>(headers: &'h HeaderMap, name: &'n str) -> impl Iterator<Item = &'h [u8]> + use<'h, 'n> {
    cookie_headers(headers).flat_map(move |header| Values::of(header, name))
}

/// A value without the one pair of double quotes that it may be in (RFC 6265, section 4.1.1).
pub(crate) fn unquoted(value: &[u8]) -> &[u8] {
    match value {
        [b'"', inner @ .., b'"'] => inner,
        _ => value,
    }
}

/// Whether this text is in a value, which may be percent-encoded: whoever found it there has read the cookie.
pub(crate) fn is_in(text: &[u8], value: &[u8]) -> bool {
    let has = |value: &[u8]| value.windows(text.len().max(1)).any(|part| part == text);
    has(value) || has(&decoded(value))
}

fn decoded(value: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [first, after @ ..] = rest {
        let encoded = after.split_first_chunk().filter(|_| *first == b'%').and_then(|([high, low], after)| {
            let byte = u8::try_from(digit(*high)? * 16 + digit(*low)?).ok()?;
            Some((byte, after))
        });
        let (byte, after) = encoded.unwrap_or((*first, after));
        decoded.push(byte);
        rest = after;
    }
    decoded
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
    fn a_text_is_in_a_value_that_has_it_encoded_or_not() {
        for (text, value, expected) in [
            ("abc", "abc", true),
            ("abc", "s%3Aabc.def", true),
            ("s:abc", "s%3Aabc.def", true),
            ("\"abc\"", "\"abc\"", true),
            ("a b", "a%20b", true),
            ("%zz%", "%zz%", true),
            ("abc", "ab%2", false),
            ("abcd", "abc", false),
            ("", "abc", false),
        ] {
            assert_eq!(is_in(text.as_bytes(), value.as_bytes()), expected, "{text:?} in {value:?}");
        }
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
    fn one_pair_of_double_quotes_is_none_of_a_value() {
        for (value, inner) in [
            ("\"ab\"", "ab"),
            ("\"\"ab\"\"", "\"ab\""),
            ("\"\"", ""),
            ("\"ab", "\"ab"),
            ("ab\"", "ab\""),
            ("a\"b", "a\"b"),
            ("\"", "\""),
            ("ab", "ab"),
            ("", ""),
        ] {
            assert_eq!(unquoted(value.as_bytes()), inner.as_bytes(), "{value}");
        }
    }
}
