//! The `Set-Cookie` value.

use std::borrow::Cow;
use std::time::Duration;

use http::HeaderValue;

use super::check;
use super::same_site::SameSite;
use crate::error::ConfigError;
use crate::id::SessionId;

/// The longest `Max-Age` that browsers take: 400 days (RFC 6265bis, section 5.5).
const MAX_AGE_LIMIT: u64 = 34_560_000;

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
        let without_secure = attributes.len();
        attributes.push_str("; Secure");
        CookieTemplate {
            start: format!("{}=", self.name),
            name_len: self.name.len(),
            attributes,
            without_secure,
            secure: match self.secure {
                Some(false) => Secure::Off,
                None if !implied => Secure::UnlessLoopback,
                _ => Secure::On,
            },
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
    /// `Secure` comes last.
    attributes: String,
    /// How long the attributes are without it.
    without_secure: usize,
    secure: Secure,
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

    /// The value that hands the client the id. With a `Max-Age` the cookie outlives the browser.
    pub(crate) fn set(&self, id: &SessionId, max_age: Option<Duration>, loopback: bool) -> Option<HeaderValue> {
        // 0 would remove the cookie of a session that still lives.
        let max_age = max_age.map(|left| left.as_secs().clamp(1, MAX_AGE_LIMIT));
        self.value(id.as_bytes(), max_age, loopback)
    }

    /// The value that makes the client forget the id: every attribute stands in it again, else a browser would keep the cookie.
    pub(crate) fn remove(&self, loopback: bool) -> Option<HeaderValue> {
        self.value(b"", Some(0), loopback)
    }

    fn value(&self, id: &[u8], max_age: Option<u64>, loopback: bool) -> Option<HeaderValue> {
        let attributes = if self.is_secure(loopback) { &*self.attributes } else { &self.attributes[..self.without_secure] };
        let max_age = max_age.map(|seconds| format!("; Max-Age={seconds}"));
        let rest = max_age.as_deref().unwrap_or_default();
        // Made as long as it will be, so that it becomes the header's value as it is.
        let mut value = Vec::with_capacity(self.start.len() + id.len() + attributes.len() + rest.len());
        value.extend_from_slice(self.start.as_bytes());
        value.extend_from_slice(id);
        value.extend_from_slice(attributes.as_bytes());
        if !rest.is_empty() {
            value.extend_from_slice(rest.as_bytes());
        }
        HeaderValue::try_from(value).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            template.set(&id, Some(Duration::MAX), true).unwrap(),
            "sid=x; Path=/app; HttpOnly; SameSite=None; Domain=example.com; Partitioned; Secure; Max-Age=34560000"
        );
        assert_eq!(
            template.remove(true).unwrap(),
            "sid=; Path=/app; HttpOnly; SameSite=None; Domain=example.com; Partitioned; Secure; Max-Age=0"
        );
    }
}
