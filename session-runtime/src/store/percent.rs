//! The parameters of a URL: percent-decoding, and what was meant by a name that nobody knows.

/// Decodes `%xx`; nothing where that is not UTF-8, or not two hex digits.
pub(super) fn decode(text: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let [high, low, after @ ..] = rest else { return None };
        let digit = |byte: &u8| char::from(*byte).to_digit(16);
        bytes.push(u8::try_from(digit(high)? * 16 + digit(low)?).ok()?);
        rest = after;
    }
    String::from_utf8(bytes).ok()
}

/// The one of these names that is the nearest, if it is near.
pub(super) fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let near = known.iter().map(|known| (distance(name, known), *known)).min()?;
    (near.0 <= 1 + name.chars().count() / 4).then_some(near.1)
}

/// How many letters have to come, go or change (Levenshtein).
pub(super) fn distance(one: &str, other: &str) -> usize {
    let other: Vec<_> = other.chars().collect();
    let mut row: Vec<_> = (0..=other.len()).collect();
    for (line, letter) in one.chars().enumerate() {
        let mut before = std::mem::replace(&mut row[0], line + 1);
        for (column, another) in other.iter().enumerate() {
            let changed = before + usize::from(letter != *another);
            before = row[column + 1];
            row[column + 1] = changed.min(before + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_encoded_is_decoded() {
        for (text, expected) in [
            ("", Some("")),
            ("plain:+&", Some("plain:+&")),
            ("caf%C3%A9%26%2f", Some("café&/")),
            ("%", None),
            ("%4", None),
            ("%zz", None),
            ("%+1", None),
            ("%ff", None),
            ("a%41", Some("aA")),
        ] {
            assert_eq!(decode(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn the_nearest_name_is_meant_if_it_is_near() {
        let known = ["key_prefix", "table", "protocol"];
        for (name, expected) in [
            ("key_prefx", Some("key_prefix")),
            ("keyprefix", Some("key_prefix")),
            ("tabel", Some("table")),
            ("protocol", Some("protocol")),
            ("whatever", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, &known), expected, "{name}");
        }
    }
}
