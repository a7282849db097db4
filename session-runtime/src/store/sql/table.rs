//! The name of the table, checked, since a statement cannot take it as a parameter.

use std::fmt;

use sha2::{Digest, Sha256};

use crate::store::StoreError;

const MAX_LEN: usize = 48;

/// A name that needs no escaping, with the schema it is in, if one was given.
#[derive(Clone)]
pub struct Table {
    schema: Option<String>,
    name: String,
}

impl Table {
    pub(super) fn parse(text: &str) -> Result<Self, StoreError> {
        let (schema, name) = match text.split_once('.') {
            Some((schema, name)) => (Some(schema), name),
            None => (None, text),
        };
        if !is_table(text) {
            return Err(StoreError::unavailable(format!(
                "{text:?} is no name for a table: it takes 1 to {MAX_LEN} ASCII letters, digits and `_`, not beginning with a \
                 digit, and may have a schema before it, as in `schema.name`"
            )));
        }
        Ok(Self { schema: schema.map(str::to_owned), name: name.to_owned() })
    }

    /// The name as it stands in a statement.
    pub(super) fn quoted(&self, quote: char) -> String {
        let name = format!("{quote}{}{quote}", self.name);
        match &self.schema {
            Some(schema) => format!("{quote}{schema}{quote}.{name}"),
            None => name,
        }
    }

    /// The name of the index on a column, as it stands in a statement. It is in the schema of its table.
    pub(super) fn index(&self, column: &str, quote: char) -> String {
        format!("{quote}{}_{column}{quote}", self.name)
    }

    /// A number for what processes do in turn with this table.
    pub(super) fn lock(&self) -> i64 {
        let hash = Sha256::digest(format!("session-runtime {self:?}"));
        hash.iter().take(8).fold(0, |number, byte| number << 8 | i64::from(*byte))
    }
}

/// Whether this is a name that [`Table::parse`] takes.
pub(in crate::store) fn is_table(text: &str) -> bool {
    match text.split_once('.') {
        Some((schema, name)) => is_name(schema) && is_name(name),
        None => is_name(text),
    }
}

fn is_name(text: &str) -> bool {
    text.len() <= MAX_LEN
        && text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.schema {
            Some(schema) => write!(f, "{schema}.{}", self.name),
            None => f.write_str(&self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_could_end_the_quoting_is_refused() {
        for name in ["", "a b", "a;b", "a\"b", "a`b", "1a", "a.b.c", ".a", "a.", "ä", &"a".repeat(49)] {
            assert!(Table::parse(name).is_err(), "{name:?}");
        }
    }

    #[test]
    fn a_name_may_have_a_schema() {
        assert_eq!(Table::parse("shop.sessions").unwrap().quoted('"'), r#""shop"."sessions""#);
        assert_eq!(Table::parse("_s9").unwrap().quoted('`'), "`_s9`");
    }
}
