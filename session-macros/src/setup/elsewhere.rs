//! Names that are no options: what other libraries, frameworks and languages call an option, or what is none here.
//!
//! A name is compared by its words, in any letter case and however they are joined (`maxAge`, `SESSION_COOKIE_SECURE`), first as it is,
//! then without the words that say nothing new at its start and end (`with_secure`, `expire_seconds`).

use proc_macro2::Ident;

use super::options::OPTIONS;
use super::suggest;

/// Words before a name that do not change what it means.
const BEFORE: &[&str] = &["with", "set", "use", "enable", "no", "session", "sessions", "cookie"];
/// Words behind a name that do not change what it means: also the unit of a duration, which belongs to the value.
const BEHIND: &[&str] = &[
    "cookie", "session", "flag", "value", "in", "seconds", "secs", "sec", "minutes", "mins", "min", "hours", "days", "ms",
    "millis",
];

const EXPIRE: &str =
    "did you mean `session_expire`, how long a session lives since it was last used, or `absolute_expire`, since it was created?";
const ROLLING: &str = "a session lives for `session_expire` since it was last used: leave it out";

/// Names without what joins their words, and what is meant by them.
const KNOWN: &[(&[&str], &str)] = &[
    (
        &["maxage", "cookiemaxage", "cookieage", "age", "permanentsessionlifetime", "cookieexpire", "cookieexpires"],
        "`session_expire` says how long a session lives, and `persistent = true` gives the cookie the same `Max-Age`",
    ),
    (
        &[
            "expires",
            "expiry",
            "expiration",
            "expireafter",
            "expiresafter",
            "expiresin",
            "ttl",
            "lifetime",
            "inactivity",
            "inactivitytimeout",
            "idle",
            "idletimeout",
            "idleexpire",
            "timeout",
            "duration",
            "gcmaxlifetime",
            "validity",
        ],
        EXPIRE,
    ),
    (&["absolute", "absolutetimeout", "absolutelifetime", "maxlifetime", "maxduration"], "did you mean `absolute_expire`?"),
    (&["httponly"], "the cookie is always `HttpOnly`: leave it out"),
    (&["httpsonly", "https", "ssl", "tls"], "did you mean `secure`?"),
    (&["cookie", "cookies", "key", "sid", "name", "sessioncookie"], "did you mean `cookie_name`?"),
    (&["host"], "did you mean `domain`?"),
    (&["permanent", "remember", "rememberme", "expireatbrowserclose"], "did you mean `persistent`?"),
    (&["chips"], "did you mean `partitioned`?"),
    (&["default", "initial", "initialdata", "defaultfactory", "data", "defaults"], "did you mean `default_data`?"),
    (&["datatype", "model", "schema", "type"], "the data type comes first: `session!(<T>, option = value, ..)`"),
    (
        &["backend", "storage", "engine", "sessiontype", "sessionstore", "storefactory", "storetype", "database", "db", "memory"],
        "did you mean `store`?",
    ),
    (
        &[
            "redis",
            "redisurl",
            "postgres",
            "mysql",
            "sqlite",
            "databaseurl",
            "storeurl",
            "storageuri",
            "url",
            "uri",
            "connection",
            "pool",
        ],
        "did you mean `store`, as in `store = session_runtime::store::connect(url).await?`?",
    ),
    (&["getsessionid", "fetchsessionid", "idcallback", "getid", "extractid"], "did you mean `session_id_callback`?"),
    (&["header", "headername"], "`session_id_callback` says where the id is found in a request"),
    (&["genid", "generateid", "idgenerator", "generator", "generate"], "did you mean `generate_session_id_callback`?"),
    (
        &["idlength", "entropy", "sidlength"],
        "`generate_session_id_callback` makes the ids, of 100 random characters unless given",
    ),
    (&["middlewarecallback"], "did you mean `middleware`?"),
    (
        &["lazy", "saveuninitialized", "resave", "alwayssave", "create", "autocreate"],
        "`middleware = standard::lazy_session_middleware` creates sessions only where they are changed",
    ),
    (
        &["rolling", "sliding", "slidingexpiration", "renew", "refresh", "refresheachrequest", "saveeveryrequest", "touchafter"],
        ROLLING,
    ),
    (
        &["secret", "secretkey", "secrets", "signingkey", "signed", "encrypted", "private", "encryptionkey"],
        "the cookie holds a random id, which needs no key: leave it out",
    ),
    (
        &["serializer", "serialization", "serializationformat", "codec"],
        "a store that needs it serializes the data by serde: leave it out",
    ),
    (
        &["cleanupinterval", "gcinterval", "cleanup", "autoremove", "clearexpired", "sweepinterval", "gcprobability"],
        "the store removes what has expired: leave it out",
    ),
    (
        &["fixation", "strictmode", "regenerate", "regenerateid", "rotate", "cycleid"],
        "an id is never adopted from a client, and a login gives a new one by `session.rotate_with(..)`: leave it out",
    ),
    (&["unset"], "`session.destroy()` ends a session: leave it out"),
    (&["proxy", "trustproxy"], "whether the cookie is `Secure` does not depend on a proxy: leave it out"),
    (&["onfailure", "onoutage"], "did you mean `on_store_error`?"),
    (&["onerror", "errorhandler", "errorpage", "handleerror", "rejection"], "did you mean `error_response`?"),
    (&["ondecodeerror", "oninvalid", "oninvaliddata", "oncorrupt"], "did you mean `on_undecodable`?"),
    (
        &["maxsessions", "maxsessionsperuser", "sessionlimit", "limit", "maximumsessions", "maxconcurrentsessions"],
        "did you mean `owner_limit`?",
    ),
    (&["user", "userid", "getuser", "ownercallback", "principal", "identity"], "did you mean `owner`?"),
    (&["onfull", "whenlimit", "onlimit", "maxsessionspreventslogin"], "did you mean `when_full`?"),
    (&["loginurl", "login", "loginview", "loginredirect"], "did you mean `login_path`?"),
    (&["prefix", "keyprefix"], "did you mean `namespace`?"),
    (&["crate", "krate", "runtime"], "`session!` knows its crate, also where that is renamed: leave it out"),
];

/// What is said of a name that is no option.
pub(super) fn unknown(name: &Ident) -> String {
    let text = name.to_string();
    match meant(&text) {
        Some(meant) => format!("`session!` has no option `{text}`: {meant}"),
        None => format!("`session!` has no option `{text}`; its options are {}", names().join(", ")),
    }
}

fn names() -> Vec<&'static str> {
    OPTIONS.iter().map(|choice| choice.name).collect()
}

fn meant(text: &str) -> Option<String> {
    let words = words(text);
    let forms = forms(&words);
    let did_you_mean = |name: &str| format!("did you mean `{name}`?");
    forms
        .iter()
        .find_map(|form| known(&form.concat()))
        .or_else(|| forms.iter().find_map(|form| suggest::nearest(&form.join("_"), &names())).map(did_you_mean))
}

/// What is meant by the words of a name, without what joins them.
fn known(joined: &str) -> Option<String> {
    let option = names().into_iter().find(|name| name.replace('_', "") == joined);
    let option = option.map(|name| format!("did you mean `{name}`?"));
    option.or_else(|| KNOWN.iter().find(|(names, _)| names.contains(&joined)).map(|(_, instead)| (*instead).to_owned()))
}

/// The words of `a_name`, `aName` and `A_NAME`.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for letter in name.chars() {
        if letter == '_' || (letter.is_uppercase() && after_lower) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| letter != '_') {
            word.extend(letter.to_lowercase());
        }
        after_lower = letter.is_lowercase();
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The words, and what is left of them without more and more at the start and the end.
fn forms(words: &[String]) -> Vec<&[String]> {
    let says_nothing = |list: &[&str], word: &String| list.contains(&word.as_str());
    let before = words.iter().take_while(|word| says_nothing(BEFORE, word)).count();
    let behind = words.iter().rev().take_while(|word| says_nothing(BEHIND, word)).count();
    let mut forms: Vec<_> = (0..=before)
        .flat_map(|start| (0..=behind).filter_map(move |end| words.get(start..words.len().checked_sub(end)?)))
        .filter(|form| !form.is_empty())
        .collect();
    forms.sort_by_key(|form| std::cmp::Reverse(form.len()));
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_meant(names: &[&str], part: &str) {
        for name in names {
            let meant = meant(name);
            assert!(meant.as_deref().is_some_and(|meant| meant.contains(part)), "`{name}` gives {meant:?}");
        }
    }

    #[test]
    fn a_name_of_django_flask_express_and_rails_leads_to_the_option() {
        assert_meant(&["SESSION_COOKIE_SECURE", "secureCookie", "with_secure", "https_only"], "`secure`?");
        assert_meant(&["SESSION_COOKIE_SAMESITE", "sameSite", "with_same_site", "cookie_samesite"], "`same_site`?");
        assert_meant(&["SESSION_COOKIE_HTTPONLY", "httpOnly", "with_http_only"], "always `HttpOnly`");
        assert_meant(&["SESSION_COOKIE_AGE", "maxAge", "PERMANENT_SESSION_LIFETIME", "cookie_max_age"], "`persistent = true`");
        assert_meant(&["session_ttl", "expire_after", "IdleTimeout", "with_expiry", "SESSION_LIFETIME"], "`absolute_expire`");
        assert_meant(&["SESSION_ENGINE", "session_type", "session_store"], "`store`?");
        assert_meant(&["session_cookie_path", "cookiePath"], "`path`?");
        assert_meant(&["session_expire_minutes", "expire_seconds"], "`session_expire`?");
        assert_meant(&["with_name", "SESSION_COOKIE_NAME", "name"], "`cookie_name`?");
        assert_meant(&["saveUninitialized", "with_always_save"], "lazy_session_middleware");
        assert_meant(&["session_refresh_each_request", "SESSION_SAVE_EVERY_REQUEST"], "last used");
        assert_meant(&["with_signed", "with_private", "secretKey"], "needs no key");
    }

    #[test]
    fn what_is_known_nowhere_means_nothing() {
        for name in ["", "_", "x", "frobnicate", "ümlaut"] {
            assert_eq!(meant(name), None, "{name}");
        }
    }
}
