//! The checks of the options' values, as `session!` makes them when it is compiled: a mistake ends the evaluation of a constant,
//! and the compiler shows the value that made it.

use std::time::Duration;

use crate::config;
use crate::cookie::{SameSite, check};
use crate::error::ConfigError;

/// A duration is not zero.
#[track_caller]
pub const fn assert_not_zero(option: &'static str, duration: Duration) {
    assert_ok(config::not_zero(option, duration));
}

/// A number is at least 1.
#[track_caller]
pub const fn assert_positive(option: &'static str, number: u32) {
    assert_ok(config::positive(option, number));
}

/// A login path leads to this site.
#[track_caller]
pub const fn assert_login_path(path: &str) {
    assert_ok(config::login_path(path));
}

/// A cookie's name is a token.
#[track_caller]
pub const fn assert_cookie_name(name: &str) {
    assert_ok(check::cookie_name(name));
}

/// A namespace is not empty.
#[track_caller]
pub const fn assert_namespace(namespace: &str) {
    assert_ok(config::not_empty(namespace));
}

/// A cookie's path is one that browsers take, also beside the cookie's name.
#[track_caller]
pub const fn assert_path(path: &str, cookie_name: &str) {
    assert_ok(check::cookie_path(path));
    assert_ok(check::host_prefix_path(cookie_name, path));
}

/// A cookie's domain is a host name, also beside the cookie's name.
#[track_caller]
pub const fn assert_domain(domain: &str, cookie_name: &str) {
    assert_ok(check::cookie_domain(domain));
    assert_ok(check::host_prefix_domain(cookie_name));
}

/// `secure = false` stands beside nothing that implies `Secure`.
#[track_caller]
pub const fn assert_secure(secure: bool, cookie_name: &str, same_site: SameSite, partitioned: bool) {
    if !secure {
        assert_ok(check::not_secure(cookie_name, same_site, partitioned));
    }
}

#[track_caller]
const fn assert_ok(result: Result<(), ConfigError>) {
    if let Err(error) = result {
        fail(error);
    }
}

/// Ends with the text of `error`. Constant evaluation cannot format, so that the text is put together by hand.
#[track_caller]
pub(super) const fn fail(error: ConfigError) -> ! {
    let mut text = Text::EMPTY;
    text.push("`");
    text.push(error.option());
    text.push("` ");
    text.push(error.problem());
    panic!("{}", text.as_str())
}

/// A text of at most [`Text::CAPACITY`] bytes.
struct Text {
    bytes: [u8; Text::CAPACITY],
    len: usize,
}

impl Text {
    const CAPACITY: usize = 512;
    const EMPTY: Self = Self { bytes: [0; Self::CAPACITY], len: 0 };

    const fn push(&mut self, text: &str) {
        let mut at = 0;
        while at < text.len() && self.len < Self::CAPACITY {
            self.bytes[self.len] = text.as_bytes()[at];
            self.len += 1;
            at += 1;
        }
    }

    const fn as_str(&self) -> &str {
        match std::str::from_utf8(self.bytes.split_at(self.len).0) {
            Ok(text) => text,
            Err(_) => "an option is wrong",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[should_panic(expected = "`cookie_name` is empty")]
    fn a_failed_check_names_the_option_and_the_problem() {
        assert_cookie_name("");
    }

    #[test]
    #[should_panic(expected = "`path` must be `/` beside a `cookie_name` with the prefix `__Host-`")]
    fn a_path_is_checked_beside_the_name() {
        assert_path("/shop", "__Host-sid");
    }

    #[test]
    fn what_is_right_passes() {
        assert_not_zero("session_expire", Duration::from_millis(1));
        assert_cookie_name("sid");
        assert_path("/", "__Host-sid");
        assert_domain("example.com", "sid");
        assert_secure(true, "__Host-sid", SameSite::None, true);
        assert_secure(false, "sid", SameSite::Lax, false);
    }
}
