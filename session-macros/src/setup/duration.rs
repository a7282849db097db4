//! `24h`: a number with a unit, wherever it stands in a duration, becomes its number of seconds.

use proc_macro2::{Group, Literal, TokenStream, TokenTree};
use syn::{Error, Lit, LitFloat};

const UNITS: &[(&str, u64)] = &[("s", 1), ("m", 60), ("h", 3_600), ("d", 86_400)];
/// How others write these units, and larger ones, each with the unit that is meant and how many of it are one.
const OTHER_NAMES: &[(&str, u64, &[&str])] = &[
    ("s", 1, &["sec", "secs", "second", "seconds", "S"]),
    ("m", 1, &["min", "mins", "minute", "minutes", "M"]),
    ("h", 1, &["hr", "hrs", "hour", "hours", "H"]),
    ("d", 1, &["day", "days", "D"]),
    ("d", 7, &["w", "wk", "wks", "week", "weeks", "W"]),
    ("d", 30, &["mo", "month", "months"]),
    ("d", 365, &["y", "yr", "yrs", "year", "years", "Y"]),
];
/// Numbers in words, from 1 on.
const NUMBERS: &[&str] = &["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];
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
            let meant = in_smaller_unit(&number).unwrap_or_else(|| "in a smaller unit".to_owned());
            wrong(format!("`{number}` is no whole number: write {meant}"))
        }
        _ => Ok(literal),
    }
}

/// Whether this is a number of seconds without a type, and not zero.
pub(super) fn is_positive(seconds: &TokenStream) -> bool {
    let mut tokens = seconds.clone().into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Literal(number)), None) => number.to_string().parse::<u64>().is_ok_and(|seconds| seconds > 0),
        _ => false,
    }
}

/// The unit that this is a name of, and how many of it are meant.
fn unit(name: &str) -> Option<(&'static str, u64)> {
    let by_its_own_name = UNITS.iter().map(|(unit, _)| (*unit, 1)).find(|(unit, _)| *unit == name);
    let known = OTHER_NAMES.iter().find(|(.., names)| names.contains(&name));
    by_its_own_name.or_else(|| known.map(|(unit, count, _)| (*unit, *count)))
}

/// `1h + 30m` for `1h 30m`, `1 h 30 m`, `1 hour and 30 minutes`, and `3600` for itself; none for what is no duration in words.
pub(super) fn in_words(tokens: TokenStream) -> Option<String> {
    let mut parts = Vec::new();
    let mut number: Option<u64> = None;
    for token in tokens {
        match token {
            TokenTree::Literal(literal) if number.is_none() => {
                let Lit::Int(literal) = Lit::new(literal) else { return None };
                let count = literal.base10_digits().parse().ok()?;
                match unit(literal.suffix()) {
                    Some(of) => parts.push(part(count, of)?),
                    None if literal.suffix().is_empty() => number = Some(count),
                    None => return None,
                }
            }
            TokenTree::Ident(word) => {
                let word = word.to_string();
                let named = NUMBERS.iter().zip(1..).find(|(name, _)| **name == word).map(|(_, count)| count);
                match (number, unit(&word)) {
                    (Some(count), Some(of)) => {
                        parts.push(part(count, of)?);
                        number = None;
                    }
                    (None, None) if named.is_some() => number = named,
                    (None, None) if word == "a" || word == "an" => number = Some(1),
                    (None, None) if word == "and" && !parts.is_empty() => {}
                    _ => return None,
                }
            }
            TokenTree::Punct(punct) if matches!(punct.as_char(), '+' | ',') && number.is_none() => {}
            _ => return None,
        }
    }
    match number {
        Some(seconds) if parts.is_empty() => return Some(seconds.to_string()),
        Some(_) => return None,
        None => {}
    }
    (!parts.is_empty()).then(|| parts.join(" + "))
}

fn part(count: u64, (unit, each): (&str, u64)) -> Option<String> {
    Some(format!("{}{unit}", count.checked_mul(each)?))
}

/// `90m` for `1.5h`.
fn in_smaller_unit(number: &LitFloat) -> Option<String> {
    let (_, each) = UNITS.iter().find(|(unit, _)| *unit == number.suffix())?;
    let (whole, fraction) = number.base10_digits().split_once('.')?;
    let (scale, digits) = (10_u64.checked_pow(u32::try_from(fraction.len()).ok()?)?, format!("{whole}{fraction}"));
    let scaled = digits.parse::<u64>().ok()?.checked_mul(*each)?;
    let seconds = (scaled % scale == 0).then_some(scaled / scale)?;
    let (unit, each) = UNITS.iter().rev().find(|(_, each)| seconds % each == 0)?;
    Some(format!("`{}{unit}`", seconds / each))
}

/// `2h + 30m` for the digits and the suffix of `2h30m`.
fn compound(digits: &str, suffix: &str) -> Option<String> {
    let text = format!("{digits}{suffix}");
    let mut parts = Vec::new();
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (count, after) = rest.split_at(rest.find(|c: char| !c.is_ascii_digit())?);
        let (name, after) = after.split_at(after.find(|c: char| c.is_ascii_digit()).unwrap_or(after.len()));
        parts.push(part(count.parse().ok()?, unit(name)?)?);
        rest = after;
    }
    Some(parts.join(" + "))
}

/// Whether the suffix of a literal is one of the language's own, or none.
pub(super) fn is_type(suffix: &str) -> bool {
    TYPES.contains(&suffix)
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
    match compound(digits, suffix) {
        Some(meant) => format!("`{suffix}` is no unit: write `{meant}`"),
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
            ("1.5h", "write `90m`"),
            ("1.3333h", "smaller unit"),
            ("2w", "write `14d`"),
            ("1month", "write `30d`"),
            ("2h30m", "write `2h + 30m`"),
            ("2fortnights", "1h + 30m"),
            ("18446744073709551615d", "too long"),
            ("99999999999999999999999s", "too long"),
        ] {
            let error = converted(text).expect_err(text);
            assert!(error.contains(part), "{error}");
        }
    }
    #[test]
    fn words_become_a_sum() {
        let in_words = |text: &str| in_words(text.parse().expect("tokens"));
        for (text, expected) in [
            ("1h 30m", "1h + 30m"),
            ("1 h + 30 m", "1h + 30m"),
            ("2 hours and 30 minutes", "2h + 30m"),
            ("one week", "7d"),
            ("3600", "3600"),
        ] {
            assert_eq!(in_words(text).as_deref(), Some(expected), "{text}");
        }
        for text in ["", "soon", "1h 30", "30 m m", "and 1h", "1.5 h", "18446744073709551615 weeks"] {
            assert_eq!(in_words(text), None, "{text}");
        }
    }
}
