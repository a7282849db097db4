//! The session id: what a valid one is, and how much chance it can carry.

use std::array;
use std::fmt;
use std::str::FromStr;

/// The entropy that OWASP asks of a session id, in bits.
pub(crate) const MIN_ENTROPY_BITS: f64 = 64.0;

/// A session id: 1 to 256 bytes of RFC 6265 cookie octets.
///
/// Cookie octets are the printable ASCII characters without space, `"`, `,`, `;` and `\` (RFC 6265, section 4.1.1), so an id
/// needs no quoting in a cookie and no escaping in a header. The id is kept inline: copying one allocates nothing.
///
/// Whoever holds the id holds the session, so its `Debug` is redacted and it has no `Display`; [`as_str`](Self::as_str) is the
/// one way to read it (CVE-2023-20866: ids in logs).
///
/// ```
/// use session_runtime::SessionId;
///
/// let id = SessionId::parse("rZ8kQ2vX")?;
/// assert_eq!(id.as_str(), "rZ8kQ2vX");
/// assert_eq!(format!("{id:?}"), "SessionId(..)");
/// assert!(SessionId::parse("").is_err());
/// assert!(SessionId::parse("two words").is_err());
/// # Ok::<(), session_runtime::InvalidSessionId>(())
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct SessionId {
    len: u16,
    /// Zero beyond `len`.
    bytes: [u8; Self::MAX_LEN],
}

impl SessionId {
    /// The longest id that is accepted, in bytes.
    pub(crate) const MAX_LEN: usize = 256;

    /// No id yet: for [`write`](Self::write).
    pub(crate) const EMPTY: Self = Self { len: 0, bytes: [0; Self::MAX_LEN] };

    /// Checks that `text` is a valid id.
    ///
    /// # Errors
    ///
    /// [`InvalidSessionId`] where `text` is empty, longer than 256 bytes, or holds a byte that is no cookie octet.
    pub fn parse(text: &str) -> Result<Self, InvalidSessionId> {
        if !Self::is_valid(text.as_bytes()) {
            return Err(InvalidSessionId(()));
        }
        let mut id = Self::EMPTY;
        id.write(text.as_bytes());
        Ok(id)
    }

    pub(crate) fn is_valid(text: &[u8]) -> bool {
        !text.is_empty() && text.len() <= Self::MAX_LEN && all_cookie_octets(text)
    }

    /// Writes a valid text into an id that is empty.
    #[expect(clippy::cast_possible_truncation, reason = "not longer than `MAX_LEN`")]
    pub(crate) fn write(&mut self, text: &[u8]) {
        debug_assert!(self.len == 0 && Self::is_valid(text), "not a valid id");
        if let Some(bytes) = self.bytes.get_mut(..text.len()) {
            bytes.copy_from_slice(text);
            self.len = text.len() as u16;
        }
    }

    /// The id as text: what stands in the cookie.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Cookie octets are ASCII.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The id in blocks of 16 bytes, the last filled up with zeros, which no id holds.
    pub(crate) fn blocks(&self) -> &[[u8; 16]] {
        &self.bytes.as_chunks().0[..usize::from(self.len).div_ceil(16)]
    }

    /// The most entropy that an id of this length and alphabet can carry: its length times log2 of the smallest of digits,
    /// hex digits, letters and digits, base64url, and cookie octets that holds all its characters.
    pub(crate) fn entropy_bits(&self) -> f64 {
        let bytes = self.as_bytes();
        let all = |test: fn(&u8) -> bool| bytes.iter().all(test);
        let alphabet = if all(u8::is_ascii_digit) {
            10.0_f64
        } else if all(u8::is_ascii_hexdigit) {
            16.0
        } else if all(u8::is_ascii_alphanumeric) {
            62.0
        } else if all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')) {
            64.0
        } else {
            90.0
        };
        f64::from(u16::try_from(bytes.len()).unwrap_or(u16::MAX)) * alphabet.log2()
    }
}

/// A byte that may stand in a cookie's value without quoting (RFC 6265, section 4.1.1).
pub(crate) const fn is_cookie_octet(byte: u8) -> bool {
    flaw(byte) == 0
}

/// Zero for a cookie octet, else 255: a mask, so that many bytes are checked at once.
const fn flaw(byte: u8) -> u8 {
    const fn mask(wrong: bool) -> u8 {
        if wrong { u8::MAX } else { 0 }
    }
    mask(byte.wrapping_sub(b'!') > b'~' - b'!')
        | mask(byte == b'"')
        | mask(byte == b',')
        | mask(byte == b';')
        | mask(byte == b'\\')
}

/// Whether every byte is one. Blocks of 16 are checked at once, beside the last 16 bytes.
fn all_cookie_octets(text: &[u8]) -> bool {
    let Some(last) = text.last_chunk::<16>() else {
        return text.iter().all(|&byte| is_cookie_octet(byte));
    };
    let mut flaws = last.map(flaw);
    for block in text.as_chunks::<16>().0 {
        flaws = array::from_fn(|place| flaws[place] | flaw(block[place]));
    }
    flaws == [0; 16]
}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(..)")
    }
}

impl FromStr for SessionId {
    type Err = InvalidSessionId;

    fn from_str(text: &str) -> Result<Self, InvalidSessionId> {
        Self::parse(text)
    }
}

impl TryFrom<&str> for SessionId {
    type Error = InvalidSessionId;

    fn try_from(text: &str) -> Result<Self, InvalidSessionId> {
        Self::parse(text)
    }
}

impl TryFrom<String> for SessionId {
    type Error = InvalidSessionId;

    fn try_from(text: String) -> Result<Self, InvalidSessionId> {
        Self::parse(&text)
    }
}

/// A text that is no valid [`SessionId`]. It does not say which: the text may be a mistyped secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InvalidSessionId(());

impl fmt::Display for InvalidSessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a valid session id: it takes 1 to 256 printable ASCII characters without space, `\"`, `,`, `;` and `\\`")
    }
}

impl std::error::Error for InvalidSessionId {}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::id::SharedId;
    use crate::random::for_all;

    /// As the grammar of RFC 6265 has it, section 4.1.1.
    fn is_octet(byte: u8) -> bool {
        matches!(byte, 0x21 | 0x23..=0x2b | 0x2d..=0x3a | 0x3c..=0x5b | 0x5d..=0x7e)
    }

    /// Texts that are ids but for a byte here and there, and any bytes; of lengths on both sides of what is allowed.
    fn text() -> impl Strategy<Value = Vec<u8>> {
        let octets = || vec(prop::sample::select((0..=255).filter(|byte| is_octet(*byte)).collect::<Vec<u8>>()), 0..=300);
        let flawed = (octets(), any::<prop::sample::Index>(), any::<u8>()).prop_map(|(mut text, at, byte)| {
            if !text.is_empty() {
                let at = at.index(text.len());
                text[at] = byte;
            }
            text
        });
        prop_oneof![octets(), flawed, vec(any::<u8>(), 0..=300)]
    }

    #[test]
    fn an_id_is_1_to_256_cookie_octets_whatever_comes() {
        for_all(text(), |text| {
            let valid = (1..=256).contains(&text.len()) && text.iter().all(|byte| is_octet(*byte));
            assert_eq!(SessionId::is_valid(&text), valid);
            let shared = SharedId::parse(&text);
            assert_eq!(shared.is_some(), valid);
            let Ok(text) = str::from_utf8(&text) else { return };
            let parsed = SessionId::parse(text);
            assert_eq!(parsed.is_ok(), valid);
            if let (Ok(parsed), Some(shared)) = (parsed, shared) {
                assert!(parsed == *shared && parsed.as_str() == text);
                let mut blocks = text.as_bytes().to_vec();
                blocks.resize(blocks.len().next_multiple_of(16), 0);
                assert_eq!(parsed.blocks().as_flattened(), blocks);
            }
        });
    }

    #[test]
    fn an_id_carries_64_bits_from_the_length_that_its_alphabet_needs_for_them() {
        let least = |text: &str| {
            let all = |is_of: fn(char) -> bool| text.chars().all(is_of);
            match () {
                () if all(|char| char.is_ascii_digit()) => 20,
                () if all(|char| char.is_ascii_hexdigit()) => 16,
                () if all(|char| char.is_ascii_alphanumeric() || "-_".contains(char)) => 11,
                () => 10,
            }
        };
        for_all("[0-9]{1,24}|[0-9a-fA-F]{1,20}|[0-9A-Za-z]{1,14}|[0-9A-Za-z_-]{1,14}|[!#-+--:<-\\[\\]-~]{1,14}", |text| {
            let enough = SessionId::parse(&text).unwrap().entropy_bits() >= MIN_ENTROPY_BITS;
            assert_eq!(enough, text.len() >= least(&text));
        });
    }

    #[test]
    fn a_valid_id_is_1_to_256_cookie_octets() {
        assert!(SessionId::parse("a").is_ok());
        assert!(SessionId::parse(&"a".repeat(256)).is_ok());
        assert!(SessionId::parse(&"a".repeat(257)).is_err());
        for byte in 0..=127_u8 {
            let text = char::from(byte).to_string();
            let octet = byte.is_ascii_graphic() && !b"\",;\\".contains(&byte);
            assert_eq!(SessionId::parse(&text).is_ok(), octet, "{byte:#x}");
        }
        assert!(SessionId::parse("é").is_err());
        for length in 1..=256 {
            for at in 0..length {
                let mut text = "a".repeat(length);
                text.replace_range(at..=at, ";");
                assert!(SessionId::parse(&text).is_err(), "{text}");
            }
        }
    }

    #[test]
    fn entropy_is_length_times_the_bits_of_the_smallest_alphabet() {
        let bits = |text: &str| SessionId::parse(text).unwrap().entropy_bits();
        assert!(bits("1234567890123456789") < MIN_ENTROPY_BITS);
        assert!(bits("12345678901234567890") >= MIN_ENTROPY_BITS);
        assert!(bits("0123456789abcdef") >= MIN_ENTROPY_BITS);
        assert!(bits("0123456789abcde") < MIN_ENTROPY_BITS);
        assert!(bits("abcdefghijk") >= MIN_ENTROPY_BITS); // 11 * 5.954
        assert!(bits("abcdefghi-") < MIN_ENTROPY_BITS); // 10 * 6
        assert!(bits("abcdefghi-_") >= MIN_ENTROPY_BITS);
        assert!(bits("abcdefghi!") >= MIN_ENTROPY_BITS); // 10 * 6.49
    }
}
