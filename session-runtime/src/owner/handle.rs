//! What a session is called in a list of its owner's.

use std::fmt;
use std::str::FromStr;

use rand::RngExt as _;
use serde_core::de::Visitor;
use serde_core::{Deserialize, Deserializer, Serialize, Serializer};

/// What a session is called in the list of its owner's sessions. It stays the same when the session's id changes.
///
/// It is not the session's id, and nobody can find the session by it who does not have its owner: so a page may show it, and a URL or a form may
/// have it. As text it is 16 hexadecimal digits.
///
/// ```
/// use session_runtime::SessionHandle;
///
/// let handle: SessionHandle = "00f3a9c05e77d412".parse()?;
/// assert_eq!(handle.to_string(), "00f3a9c05e77d412");
/// assert!("not a handle".parse::<SessionHandle>().is_err());
/// # Ok::<(), session_runtime::InvalidHandle>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SessionHandle(u64);

impl SessionHandle {
    /// A handle that no other session of an owner has, but for a probability of 2^-64.
    #[must_use]
    pub fn random() -> Self {
        Self(rand::rng().random())
    }

    /// The handle of this number, for stores that keep it as one.
    #[must_use]
    pub const fn from_u64(number: u64) -> Self {
        Self(number)
    }

    /// The number, for stores that keep it as one.
    #[must_use]
    pub const fn to_u64(self) -> u64 {
        self.0
    }
}

impl fmt::Display for SessionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for SessionHandle {
    type Err = InvalidHandle;

    fn from_str(text: &str) -> Result<Self, InvalidHandle> {
        let is_one = text.len() == 16 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        if !is_one {
            return Err(InvalidHandle);
        }
        u64::from_str_radix(text, 16).map(Self).map_err(|_| InvalidHandle)
    }
}

/// As its text.
impl Serialize for SessionHandle {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// From its text: in a path or a form, for example.
impl<'de> Deserialize<'de> for SessionHandle {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text)
    }
}

struct Text;

impl Visitor<'_> for Text {
    type Value = SessionHandle;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the handle of a session, which is 16 hexadecimal digits")
    }

    fn visit_str<E: serde_core::de::Error>(self, text: &str) -> Result<SessionHandle, E> {
        text.parse().map_err(E::custom)
    }
}

/// The text is not a [`SessionHandle`], which is 16 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidHandle;

impl fmt::Display for InvalidHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this is not the handle of a session, which is 16 hexadecimal digits")
    }
}

impl std::error::Error for InvalidHandle {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handle_is_read_as_it_is_shown() {
        for number in [0, 1, u64::MAX, 0x00f3_a9c0_5e77_d412] {
            let handle = SessionHandle::from_u64(number);
            assert_eq!(handle.to_string().parse(), Ok(handle));
        }
        for text in ["", "0", "00F3A9C05E77D412", "+0f3a9c05e77d412", "00f3a9c05e77d4120", "00f3a9c05e77d41é"] {
            assert_eq!(text.parse::<SessionHandle>(), Err(InvalidHandle), "{text}");
        }
    }
}
