//! Where in a cluster a key is.

/// The number of slots that a cluster has.
pub(super) const SLOTS: u16 = 16384;

/// The slot of a key: CRC16 of it, or of what is between its first `{` and the next `}`, if that is anything.
pub(super) fn slot(key: &[u8]) -> u16 {
    crc16(tag(key).unwrap_or(key)) % SLOTS
}

/// Whether all keys that begin so are in one slot.
pub(super) fn is_one_slot(prefix: &[u8]) -> bool {
    tag(prefix).is_some()
}

fn tag(key: &[u8]) -> Option<&[u8]> {
    let (_, rest) = split(key, b'{')?;
    let (tag, _) = split(rest, b'}')?;
    (!tag.is_empty()).then_some(tag)
}

fn split(text: &[u8], at: u8) -> Option<(&[u8], &[u8])> {
    let place = text.iter().position(|byte| *byte == at)?;
    Some((&text[..place], &text[place + 1..]))
}

/// CRC-16/XMODEM, as the cluster's specification has it.
fn crc16(bytes: &[u8]) -> u16 {
    bytes.iter().fold(0, |crc, byte| TABLE[usize::from((crc >> 8) as u8 ^ byte)] ^ (crc << 8))
}

static TABLE: [u16; 256] = table();

const fn table() -> [u16; 256] {
    let mut table = [0_u16; 256];
    let mut byte = 0;
    while byte < 256 {
        #[allow(clippy::cast_possible_truncation, reason = "it is below 256")]
        let mut crc = (byte as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 == 0 { crc << 1 } else { crc << 1 ^ 0x1021 };
            bit += 1;
        }
        table[byte] = crc;
        byte += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_where_a_server_says() {
        // By `CLUSTER KEYSLOT`.
        for (key, expected) in [
            ("", 0),
            ("123456789", 12739),
            ("foo", 12182),
            ("{foo}.bar", 12182),
            ("a{foo}{bar}", 12182),
            ("{}foo", 9500),
            ("foo{bar", 15278),
            ("foo{{bar}}zap", 4015),
        ] {
            assert_eq!(slot(key.as_bytes()), expected, "{key}");
        }
    }

    #[test]
    fn a_prefix_with_a_tag_leads_to_one_slot() {
        for (prefix, expected) in
            [("session:", false), ("{shop}:", true), ("a{b}{c}:", true), ("{}shop:", false), ("{shop:", false), ("shop}:", false)]
        {
            assert_eq!(is_one_slot(prefix.as_bytes()), expected, "{prefix}");
        }
    }
}
