//! What can be known to be wrong about the options of the cookie: `const` functions, which `session!` calls when it is compiled and the
//! builder when it runs, so that both answer the same mistakes.

use super::same_site::SameSite;
use crate::error::ConfigError;

/// The octets that a cookie's name and value may have together (RFC 6265bis, section 5.6).
const MAX_NAME_AND_VALUE: usize = 4096;
/// The longest session id.
const MAX_ID: usize = 256;
/// The octets that one attribute's value may have (RFC 6265bis, section 5.6).
const MAX_ATTRIBUTE: usize = 1024;

/// The octets that a part of a host name may have (RFC 1123, section 2.1; RFC 1035, section 2.3.4).
const MAX_LABEL: usize = 63;

/// A cookie's name is a token (RFC 6265, section 4.1.1; RFC 9110, section 5.6.2).
pub(crate) const fn cookie_name(name: &str) -> Result<(), ConfigError> {
    const fn wrong(problem: &'static str) -> Result<(), ConfigError> {
        Err(ConfigError::new("cookie_name", problem))
    }
    let bytes = name.as_bytes();
    if bytes.is_empty() {
        return wrong("is empty");
    }
    if bytes.len() > MAX_NAME_AND_VALUE - MAX_ID {
        return wrong("is too long: name and value may have 4096 octets together (RFC 6265bis), and an id has up to 256");
    }
    let mut at = 0;
    while at < bytes.len() {
        if !is_token_octet(bytes[at]) {
            return wrong("has a character that RFC 6265 forbids: it takes letters, digits and !#$%&'*+-.^_`|~");
        }
        at += 1;
    }
    if has_prefix(name, "__Host-") && !starts_with(name, "__Host-") {
        return wrong("looks like the prefix `__Host-` in another case: write it exactly so");
    }
    if has_prefix(name, "__Secure-") && !starts_with(name, "__Secure-") {
        return wrong("looks like the prefix `__Secure-` in another case: write it exactly so");
    }
    Ok(())
}

/// A cookie's path starts with `/` and has no control character and no `;` (RFC 6265, section 4.1.1).
pub(crate) const fn cookie_path(path: &str) -> Result<(), ConfigError> {
    const fn wrong(problem: &'static str) -> Result<(), ConfigError> {
        Err(ConfigError::new("path", problem))
    }
    let bytes = path.as_bytes();
    if bytes.is_empty() || bytes[0] != b'/' {
        return wrong("does not start with `/`: browsers would ignore it (RFC 6265, section 5.2.4)");
    }
    if bytes.len() > MAX_ATTRIBUTE {
        return wrong("is longer than 1024 octets: browsers would ignore it (RFC 6265bis)");
    }
    let mut at = 0;
    while at < bytes.len() {
        if !matches!(bytes[at], 0x20..=0x3A | 0x3C..=0x7E) {
            return wrong("has a character that RFC 6265 forbids: it takes printable ASCII without `;`");
        }
        at += 1;
    }
    Ok(())
}

/// A cookie's domain is a host name (RFC 6265, section 4.1.1; RFC 1123, section 2.1).
pub(crate) const fn cookie_domain(domain: &str) -> Result<(), ConfigError> {
    const fn wrong(problem: &'static str) -> Result<(), ConfigError> {
        Err(ConfigError::new("domain", problem))
    }
    let bytes = domain.as_bytes();
    if bytes.is_empty() {
        return wrong("is empty: leave it out for a cookie of this host alone");
    }
    if bytes.len() > 253 {
        return wrong("is longer than a host name may be, 253 octets");
    }
    let mut at = 0;
    let mut label = 0;
    while at < bytes.len() {
        if !(bytes[at].is_ascii_alphanumeric() || matches!(bytes[at], b'-' | b'.')) {
            return wrong("is no host name: it takes letters, digits, `-` and `.`, without a scheme or a port");
        }
        let ends_label = at + 1 == bytes.len() || bytes[at + 1] == b'.';
        if bytes[at] == b'-' && (label == 0 || ends_label) {
            return wrong("is no host name: a part of it starts or ends with `-`");
        }
        // A leading dot is ignored by browsers (RFC 6265, section 5.2.3).
        if bytes[at] == b'.' && label == 0 && at > 0 {
            return wrong("is no host name: a part of it is empty");
        }
        label = if bytes[at] == b'.' { 0 } else { label + 1 };
        if label > MAX_LABEL {
            return wrong("is no host name: a part of it is longer than 63 octets");
        }
        at += 1;
    }
    if bytes[bytes.len() - 1] == b'.' {
        return wrong("ends with a dot: browsers would ignore it");
    }
    Ok(())
}

/// The prefix `__Host-` asks for a cookie without a domain (RFC 6265bis, section 4.1.3.2).
pub(crate) const fn host_prefix_domain(name: &str) -> Result<(), ConfigError> {
    if starts_with(name, "__Host-") {
        return Err(ConfigError::new("domain", "cannot be given beside a `cookie_name` with the prefix `__Host-`"));
    }
    Ok(())
}

/// The prefix `__Host-` asks for the path `/` (RFC 6265bis, section 4.1.3.2).
pub(crate) const fn host_prefix_path(name: &str, path: &str) -> Result<(), ConfigError> {
    if starts_with(name, "__Host-") && path.len() != 1 {
        return Err(ConfigError::new("path", "must be `/` beside a `cookie_name` with the prefix `__Host-`"));
    }
    Ok(())
}

/// What implies `Secure` cannot stand beside `secure = false`.
pub(crate) const fn not_secure(name: &str, same_site: SameSite, partitioned: bool) -> Result<(), ConfigError> {
    const fn wrong(problem: &'static str) -> Result<(), ConfigError> {
        Err(ConfigError::new("secure", problem))
    }
    if starts_with(name, "__Host-") || starts_with(name, "__Secure-") {
        return wrong("cannot be `false` beside a `cookie_name` with the prefix `__Host-` or `__Secure-`");
    }
    if matches!(same_site, SameSite::None) {
        return wrong("cannot be `false` beside `same_site = None`: browsers would refuse the cookie");
    }
    if partitioned {
        return wrong("cannot be `false` beside `partitioned = true`: browsers would refuse the cookie");
    }
    Ok(())
}

/// Whether one of the options asks for `Secure`.
pub(crate) const fn implies_secure(name: &str, same_site: SameSite, partitioned: bool) -> bool {
    not_secure(name, same_site, partitioned).is_err()
}

const fn is_token_octet(byte: u8) -> bool {
    byte.is_ascii_alphanumeric()
        || matches!(byte, b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}

const fn starts_with(text: &str, prefix: &str) -> bool {
    let (text, prefix) = (text.as_bytes(), prefix.as_bytes());
    if text.len() < prefix.len() {
        return false;
    }
    let mut at = 0;
    while at < prefix.len() {
        if text[at] != prefix[at] {
            return false;
        }
        at += 1;
    }
    true
}

const fn has_prefix(text: &str, prefix: &str) -> bool {
    let (text, prefix) = (text.as_bytes(), prefix.as_bytes());
    if text.len() < prefix.len() {
        return false;
    }
    let mut at = 0;
    while at < prefix.len() {
        if !text[at].eq_ignore_ascii_case(&prefix[at]) {
            return false;
        }
        at += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_name_is_a_token() {
        for good in ["SESSION_ID", "sid", "__Host-sid", "__Secure-x", "a!#$%&'*+-.^_`|~z"] {
            assert_eq!(cookie_name(good), Ok(()), "{good}");
        }
        for bad in ["", "a b", "a=b", "a;b", "a,b", "a\"b", "é", "a\n", "__host-sid", "__HOST-sid", "__secure-sid"] {
            assert!(cookie_name(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn every_octet_is_one_of_a_name_or_of_a_path_as_the_rfc_says() {
        for octet in 0..=0x7F_u8 {
            let one = char::from(octet).to_string();
            let is_token = char::is_alphanumeric(char::from(octet)) || "!#$%&'*+-.^_`|~".contains(&one);
            assert_eq!(cookie_name(&one).is_ok(), is_token, "{one:?}");
            assert_eq!(cookie_name(&format!("ab{one}")).is_ok(), is_token, "{one:?}");
            let is_in_path = !char::from(octet).is_control() && one != ";";
            assert_eq!(cookie_path(&format!("/a{one}b")).is_ok(), is_in_path, "{one:?}");
            let is_in_domain = char::is_alphanumeric(char::from(octet)) || "-.".contains(&one);
            assert_eq!(cookie_domain(&format!("a{one}b")).is_ok(), is_in_domain, "{one:?}");
        }
    }

    #[test]
    fn the_longest_name_path_and_domain_are_good_and_longer_ones_are_not() {
        let labels = format!("{}.{}.{}.", "a".repeat(63), "b".repeat(63), "c".repeat(63));
        let longest = [(cookie_name as fn(&str) -> _, "n".repeat(3840)), (cookie_path, format!("/{}", "p".repeat(1023)))];
        for (check, longest) in [&longest[..], &[(cookie_domain, format!("{labels}{}", "d".repeat(61)))]].concat() {
            assert_eq!(check(&longest), Ok(()), "{}", longest.len());
            assert!(check(&format!("{longest}x")).is_err(), "{}", longest.len());
        }
    }

    #[test]
    fn a_prefix_of_a_name_asks_for_what_rfc_6265bis_says() {
        for (name, is_host, is_secure) in [
            ("__Host-sid", true, true),
            ("__Host-", true, true),
            ("__Secure-sid", false, true),
            ("__Secure-", false, true),
            ("__Host", false, false),
            ("__Secure", false, false),
            ("sid__Host-", false, false),
            ("sid", false, false),
        ] {
            assert_eq!(host_prefix_domain(name).is_err(), is_host, "{name}");
            assert_eq!(host_prefix_path(name, "/a").is_err(), is_host, "{name}");
            assert_eq!(host_prefix_path(name, "/"), Ok(()), "{name}");
            assert_eq!(not_secure(name, SameSite::Lax, false).is_err(), is_secure, "{name}");
            assert_eq!(implies_secure(name, SameSite::Lax, false), is_secure, "{name}");
        }
        for (name, is_good) in
            [("__host-", false), ("__SECURE-", false), ("__hosts-", true), ("__secure", true), ("a__host-", true)]
        {
            assert_eq!(cookie_name(name).is_ok(), is_good, "{name}");
        }
    }

    #[test]
    fn same_site_none_and_partitioned_cookies_are_secure() {
        for (same_site, partitioned, is_secure) in [
            (SameSite::Lax, false, false),
            (SameSite::Strict, false, false),
            (SameSite::None, false, true),
            (SameSite::Lax, true, true),
            (SameSite::Strict, true, true),
        ] {
            assert_eq!(not_secure("sid", same_site, partitioned).is_err(), is_secure);
            assert_eq!(implies_secure("sid", same_site, partitioned), is_secure);
        }
    }

    #[test]
    fn a_path_and_a_domain_are_what_browsers_take() {
        assert_eq!(cookie_path("/a b"), Ok(()));
        for bad in ["", "a", "/a;b", "/\n", "/é"] {
            assert!(cookie_path(bad).is_err(), "{bad}");
        }
        let longest = format!("{}.example", "a".repeat(63));
        for good in ["example.com", ".example.com", "a-b.example", "a--b.example", "1.2", "localhost", &longest] {
            assert_eq!(cookie_domain(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "https://example.com",
            "example.com:80",
            "a..b",
            "..a",
            ".",
            "-a.b",
            "a.-b",
            "a-.b",
            "a.b-",
            "-",
            "example.com.",
            "ex ample",
            &format!("a{longest}"),
            &format!("b.{}", "a".repeat(64)),
        ] {
            assert!(cookie_domain(bad).is_err(), "{bad}");
        }
    }
}
