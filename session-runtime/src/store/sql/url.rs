//! What a URL says of how to connect.

use std::str::FromStr;

use crate::store::StoreError;
use crate::store::percent::distance;

/// The parameters that each engine knows; a name that ends with `[` takes more.
#[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "each engine reads its own part"))]
pub(in crate::store) const POSTGRES: &[&str] = &[
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "options[",
];
#[cfg_attr(not(feature = "mysql"), allow(dead_code, reason = "each engine reads its own part"))]
pub(in crate::store) const MYSQL: &[&str] = &[
    "sslmode",
    "ssl-mode",
    "sslca",
    "ssl-ca",
    "charset",
    "collation",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "socket",
    "timezone",
    "time-zone",
];
#[cfg_attr(not(feature = "sqlite"), allow(dead_code, reason = "each engine reads its own part"))]
pub(in crate::store) const SQLITE: &[&str] = &["mode", "cache", "immutable", "vfs"];

/// Those of [`connect`](crate::store::connect) itself.
const OURS: &[&str] = &["table", "key_prefix", "fastapi_compatible", "fastapi_session_expire"];

/// What a URL says of how to connect. A parameter that the engine does not know is refused, since it would be left out in silence.
pub(in crate::store) fn read_url<O: FromStr<Err = sqlx::Error>>(url: &str, known: &[&str]) -> Result<O, StoreError> {
    let (_, query) = url.split_once('?').unwrap_or_default();
    let query = query.split('#').next().unwrap_or_default();
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        let (name, _) = parameter.split_once('=').unwrap_or((parameter, ""));
        let is_known = |known: &&str| name == *known || (known.ends_with('[') && name.starts_with(known));
        if !known.iter().any(is_known) {
            return Err(StoreError::unavailable(unknown(name, known)));
        }
    }
    url.parse().map_err(|error: sqlx::Error| {
        let said = error.to_string();
        // It quotes what it does not know, which may be more than the one value where a `&` is missing.
        let name = ["ssl_mode", "mode", "cache", "immutable"].into_iter().find(|name| said.ends_with(&format!(" for `{name}`")));
        match name {
            Some(name) => StoreError::unavailable(format!("the URL has a value for `{name}` that there is not")),
            None if said.contains(['"', '`']) => StoreError::unavailable("the URL has a parameter that there is not"),
            None => StoreError::unavailable(error),
        }
    })
}

/// What is told of a name that is not known. It is shown only where it is nearly one that is: where a `&` or a `=` is missing, there may
/// be a password in it.
fn unknown(name: &str, known: &[&str]) -> String {
    if name == "table" {
        return "the parameter `table` is for `store::connect`: here it is `SqlOptions::table`".to_owned();
    }
    let others = OURS.iter().chain(known).filter(|known| !known.ends_with('['));
    let nearest = others.map(|known| (distance(name, known), *known)).min_by_key(|(distance, _)| *distance);
    match nearest {
        Some((1..=2, nearest)) => format!("the URL has the parameter `{name}`, which there is not: did you mean `{nearest}`?"),
        _ => format!(
            "the URL has a parameter that there is not; there are `table`, `{}`",
            known.join("`, `").replace("`options[`", "`options[name]`")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_nearly_known_is_told_with_the_one_that_is_meant() {
        for (name, meant) in
            [("tabel", "table"), ("key_prefx", "key_prefix"), ("ssl_mode", "sslmode"), ("mod", "mode"), ("sslmoed", "sslmode")]
        {
            let said = unknown(name, &[POSTGRES, SQLITE].concat());
            assert!(said.contains(&format!("`{name}`")) && said.ends_with(&format!("did you mean `{meant}`?")), "{said}");
        }
    }

    #[test]
    fn a_name_that_is_like_none_is_not_shown() {
        let said = unknown("passwordhunter2", POSTGRES);
        assert!(!said.contains("hunter2") && said.contains("`sslmode`"), "{said}");
    }
}
