//! `24h`: a number with a unit, wherever it stands in a duration, becomes its number of seconds.

use proc_macro2::{Group, Literal, TokenStream, TokenTree};
use syn::{Error, Lit};

const UNITS: &[(&str, u64)] = &[("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
/// How others write these units.
const OTHER_NAMES: &[(&str, &[&str])] = &[
    ("s", &["sec", "secs", "second", "seconds", "S"]),
    ("m", &["min", "mins", "minute", "minutes", "M"]),
    ("h", &["hr", "hrs", "hour", "hours", "H"]),
    ("d", &["day", "days", "D"]),
];
/// Suffixes that are the language's own.
const TYPES: &[&str] =
    &["", "u8", "u16", "u32", "u64", "u128", "usize", "i8", "i16", "i32", "i64", "i128", "isize", "f32", "f64"];

/// The tokens with seconds in place of units.
pub(super) fn seconds(tokens: TokenStream) -> Result<TokenStream, Error> {
    tokens.into_iter().map(seconds_of_token).collect()
}

fn seconds_of_token(token: TokenTree) -> Result<TokenTree, Error> {
    match token {
        TokenTree::Group(group) => {
            let mut converted = Group::new(group.delimiter(), seconds(group.stream())?);
            converted.set_span(group.span());
            Ok(converted.into())
        }
        TokenTree::Literal(literal) => seconds_of_literal(literal).map(TokenTree::Literal),
        other => Ok(other),
    }
}

fn seconds_of_literal(literal: Literal) -> Result<Literal, Error> {
    let wrong = |message: String| Err(Error::new(literal.span(), message));
    match Lit::new(literal.clone()) {
        Lit::Int(number) if TYPES.contains(&number.suffix()) => Ok(literal),
        Lit::Int(number) => {
            let (digits, suffix) = (number.base10_digits(), number.suffix());
            let Some((_, unit)) = UNITS.iter().find(|(unit, _)| *unit == suffix) else {
                return wrong(unknown_unit(digits, suffix));
            };
            let Some(seconds) = digits.parse::<u64>().ok().and_then(|number| number.checked_mul(*unit)) else {
                return wrong(format!("`{number}` is too long: a duration has at most 2^64 - 1 seconds"));
            };
            let mut seconds = Literal::u64_unsuffixed(seconds);
            seconds.set_span(literal.span());
            Ok(seconds)
        }
        Lit::Float(number) if !TYPES.contains(&number.suffix()) => {
            wrong(format!("`{number}` is no whole number: write it in a smaller unit, such as `90m` for an hour and a half"))
        }
        _ => Ok(literal),
    }
}

/// The unit that this is a name of.
pub(super) fn unit(name: &str) -> Option<&'static str> {
    let by_its_own_name = UNITS.iter().map(|(unit, _)| *unit).find(|unit| *unit == name);
    by_its_own_name.or_else(|| OTHER_NAMES.iter().find(|(_, names)| names.contains(&name)).map(|(unit, _)| *unit))
}

fn unknown_unit(digits: &str, suffix: &str) -> String {
    if matches!(suffix, "ms" | "us" | "ns") {
        let constructor = match suffix {
            "ms" => "from_millis",
            "us" => "from_micros",
            _ => "from_nanos",
        };
        return format!("`{suffix}` is no unit here: write `Duration::{constructor}({digits})`");
    }
    match unit(suffix) {
        Some(unit) => format!("`{suffix}` is no unit: write `{digits}{unit}`"),
        None => format!("`{suffix}` is no unit: a duration is written `24h`, `30m`, `90s` or `7d`, and their sum `1h + 30m`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(text: &str) -> Result<String, String> {
        let tokens: TokenStream = text.parse().expect("tokens");
        seconds(tokens).map(|tokens| tokens.to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_unit_becomes_seconds() {
        for (text, expected) in [("90s", "90"), ("30m", "1800"), ("24h", "86400"), ("7d", "604800"), ("1_000s", "1000")] {
            assert_eq!(converted(text).as_deref(), Ok(expected));
        }
    }

    #[test]
    fn units_may_stand_anywhere_in_an_expression() {
        assert_eq!(converted("7 * (24h + 30m)").as_deref(), Ok("7 * (86400 + 1800)"));
        assert_eq!(converted("Duration::from_secs(2h)").as_deref(), Ok("Duration :: from_secs (7200)"));
    }

    #[test]
    fn what_has_no_unit_stays() {
        for text in ["5", "5u64", "0x1d", "1.5", "2f64", "LIMIT", "\"24h\""] {
            assert_eq!(converted(text).as_deref(), Ok(text));
        }
    }

    #[test]
    fn what_is_no_unit_is_answered_with_the_one_that_was_meant() {
        for (text, part) in [
            ("30min", "write `30m`"),
            ("500ms", "Duration::from_millis(500)"),
            ("1.5h", "smaller unit"),
            ("2h30m", "1h + 30m"),
            ("18446744073709551615d", "too long"),
            ("99999999999999999999999s", "too long"),
        ] {
            let error = converted(text).expect_err(text);
            assert!(error.contains(part), "{error}");
        }
    }
}
