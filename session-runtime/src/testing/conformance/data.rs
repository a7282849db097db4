//! The data that the sessions of the checks hold.

use std::borrow::Cow;

/// Data that the checks can make and read back: `String`, which serde knows, and `Vec<u8>`, for stores of bytes.
///
/// Implement it for a type of your own if your store keeps no other.
pub trait ConformanceData: PartialEq + Send + Sync + Sized + 'static {
    /// Data that holds `text`.
    #[must_use]
    fn of_text(text: &str) -> Self;

    /// The text that it holds.
    fn text(&self) -> Cow<'_, str>;

    /// Data that holds bytes that need not be text; `None` where the type holds text alone.
    #[must_use]
    fn of_bytes(bytes: &[u8]) -> Option<Self> {
        let _ = bytes;
        None
    }
}

impl ConformanceData for String {
    fn of_text(text: &str) -> Self {
        text.to_owned()
    }

    fn text(&self) -> Cow<'_, str> {
        Cow::Borrowed(self)
    }
}

impl ConformanceData for Vec<u8> {
    fn of_text(text: &str) -> Self {
        text.as_bytes().to_vec()
    }

    fn text(&self) -> Cow<'_, str> {
        String::from_utf8_lossy(self)
    }

    fn of_bytes(bytes: &[u8]) -> Option<Self> {
        Some(bytes.to_vec())
    }
}
