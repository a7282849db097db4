//! A store chosen by a URL, for programs that are told where their sessions are when they start.

use std::fmt;
use std::num::NonZeroU64;
use std::time::Duration;

use serde_core::Serialize;
use serde_core::de::DeserializeOwned;

use super::{AnyStore, MemoryStore, StoreError, percent};

/// Opens the store that `url` names:
///
/// | URL | store | feature |
/// | --- | --- | --- |
/// | `memory:` | [`MemoryStore`] | |
/// | `redis://`, `rediss://` (TLS), `valkey://`, `valkeys://`, `redis+unix://` | `RedisStore` | `redis`, and `tls` for TLS |
/// | `redis+cluster://host:port,host:port`, `rediss+cluster://` | `RedisStore`, in a cluster | `redis`, and `tls` for TLS |
/// | `redis+sentinel://host:port,host:port/name/db`, `rediss+sentinel://` | `RedisStore`, at the primary that the sentinels know by this name | `redis`, and `tls` for TLS |
/// | `sqlite://path`, `sqlite::memory:` | `SqliteStore` | `sqlite` |
/// | `postgres://`, `postgresql://` | `PostgresStore` | `postgres` |
/// | `mysql://`, `mariadb://` | `MySqlStore` | `mysql` |
///
/// These parameters are this crate's, the others are the engine's. They are percent-decoded. For Redis the others are `protocol`, and for a
/// socket `db`, `user` and `pass`; one that is none of these is an error.
///
/// | parameter | for | |
/// | --- | --- | --- |
/// | `key_prefix=shop:` | Redis | what the keys begin with |
/// | `table=visits` | SQL | the table |
/// | `fastapi_compatible=true` | Redis | shares sessions with the FastAPI system: `RedisStore::fastapi_compatible` |
/// | `fastapi_session_expire=3600` | Redis | and it is told that system's `session_expire`, in seconds |
/// | `tls_ca=/etc/redis/ca.pem` | Redis | the authorities to trust, in place of the system's |
/// | `tls_cert=/etc/redis/app.pem`, `tls_key=/etc/redis/app.key` | Redis | the certificate that the server asks for, and its key |
/// | `sentinel_user=watcher`, `sentinel_password=..` | Redis | for the sentinels themselves |
///
/// Sessions of different layers may share a server, a prefix or a table: each layer has its own
/// [`namespace`](crate::SessionLayerBuilder::namespace). That is not so where sessions are shared with the FastAPI system.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use session_runtime::{session, store};
///
/// #[derive(Clone, Default, Serialize, Deserialize)]
/// struct Visit { pages: u32 }
///
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let url = std::env::var("SESSION_STORE").unwrap_or_else(|_| "memory:".to_owned());
/// let layer = session!(<Visit>, store = store::connect(&url).await?);
/// # let _: axum::Router = axum::Router::new().route("/", axum::routing::get(|| async {})).layer(layer);
/// # Ok(()) }
/// ```
///
/// # Errors
///
/// [`ConnectError`] where the scheme is none of these, where the feature for it is not enabled, where a parameter is for another
/// engine or has a wrong value, or where the store cannot be opened. It does not show the URL, which may hold a password.
pub async fn connect<T>(url: impl AsRef<str>) -> Result<AnyStore<T>, ConnectError>
where
    T: Serialize + DeserializeOwned + Send + Sync + 'static,
{
    let url = Url::parse(url.as_ref())?;
    match url.scheme.as_str() {
        "memory" => Ok(memory()),
        "redis" | "rediss" | "valkey" | "valkeys" | "unix" | "redis+unix" | "valkey+unix" | "redis+cluster"
        | "rediss+cluster" | "redis+sentinel" | "rediss+sentinel" => redis(url).await,
        "sqlite" => sqlite(url).await,
        "postgres" | "postgresql" => postgres(url).await,
        "mysql" | "mariadb" => mysql(url).await,
        _ => Err(ConnectError::UnknownScheme { scheme: url.scheme }),
    }
}

/// It refuses what the others refuse.
#[cfg(feature = "_encoding")]
fn memory<T: Serialize + DeserializeOwned + Send + Sync + 'static>() -> AnyStore<T> {
    AnyStore::new(super::encoding::Checked(MemoryStore::new()))
}

/// There are no others.
#[cfg(not(feature = "_encoding"))]
fn memory<T: Send + Sync + 'static>() -> AnyStore<T> {
    AnyStore::new(MemoryStore::new())
}

/// Why [`connect`] opened no store.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum ConnectError {
    /// No store goes by this scheme.
    UnknownScheme {
        /// What stands before the first `:`; empty where that is no scheme.
        scheme: String,
    },
    /// The store that goes by this scheme is in a feature that is not enabled.
    MissingFeature {
        /// What stands before the first `:`.
        scheme: String,
        /// The feature of `session-runtime`.
        feature: &'static str,
    },
    /// A parameter cannot be had: it is another engine's, contradicts another one, or has a wrong value.
    Parameter {
        /// Its name.
        name: &'static str,
        /// What is wrong about it.
        problem: &'static str,
    },
    /// A parameter that nobody knows.
    UnknownParameter {
        /// Its name.
        name: String,
        /// What was perhaps meant.
        nearest: Option<&'static str>,
    },
    /// The store cannot be opened.
    Store(StoreError),
}

impl fmt::Display for ConnectError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::UnknownScheme { scheme } => {
                if scheme.is_empty() {
                    f.write_str("the session store's URL begins with no scheme")?;
                } else {
                    write!(f, "no session store goes by {scheme:?}")?;
                }
                f.write_str(
                    ": use memory:, redis://, rediss://, redis+cluster://, redis+sentinel://, sqlite://, postgres:// or mysql://",
                )
            }
            Self::MissingFeature { scheme, feature } => {
                write!(f, "a session store at {scheme}: takes the feature `{feature}` of session-runtime, which is not enabled")
            }
            Self::Parameter { name, problem } => write!(f, "the parameter `{name}` of the session store's URL {problem}"),
            Self::UnknownParameter { name, nearest } => {
                write!(f, "the session store's URL has a parameter `{name}` that is not known")?;
                nearest.map_or(Ok(()), |nearest| write!(f, ": did you mean `{nearest}`?"))
            }
            Self::Store(error) => match std::error::Error::source(error) {
                Some(cause) => write!(f, "{error}: {cause}"),
                None => error.fmt(f),
            },
        }
    }
}

impl std::error::Error for ConnectError {}

impl From<StoreError> for ConnectError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// A URL, without the parameters that are this crate's.
#[cfg_attr(not(all(feature = "redis", feature = "_sql")), allow(dead_code, reason = "each engine reads its own part"))]
#[derive(Debug)]
struct Url {
    scheme: String,
    /// The whole, with the parameters that are the engine's.
    text: String,
    key_prefix: Option<String>,
    table: Option<String>,
    fastapi: Option<FastApi>,
}

/// Sessions are shared with the FastAPI system.
#[cfg_attr(not(feature = "redis"), allow(dead_code, reason = "only Redis is shared"))]
#[derive(Debug, PartialEq, Eq)]
struct FastApi {
    session_expire: Option<Duration>,
}

impl Url {
    fn parse(text: &str) -> Result<Self, ConnectError> {
        let scheme = scheme(text);
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let mut url = Self { scheme, text: String::new(), key_prefix: None, table: None, fastapi: None };
        let (mut compatible, mut session_expire) = (None, None);
        let mut others = Vec::new();
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            let ours = parameter.split_once('=').and_then(|(name, value)| Some((own(name)?, value)));
            let ours = ours.map(|(name, value)| decoded(name, value).map(|value| (name, value))).transpose()?;
            match ours.as_ref().map(|(name, value)| (*name, value.as_str())) {
                Some(("key_prefix", value)) => url.key_prefix = Some(value.to_owned()),
                Some(("table", value)) => url.table = Some(value.to_owned()),
                Some((COMPATIBLE, value)) => compatible = Some(truth(value)?),
                Some((SESSION_EXPIRE, value)) => session_expire = Some(seconds(value)?),
                _ => others.push(parameter),
            }
        }
        if compatible.unwrap_or(session_expire.is_some()) {
            url.fastapi = Some(FastApi { session_expire });
        } else if session_expire.is_some() {
            return Err(wrong(SESSION_EXPIRE, "contradicts `fastapi_compatible=false`"));
        }
        base.clone_into(&mut url.text);
        if !others.is_empty() {
            url.text = format!("{base}?{}", others.join("&"));
        }
        url.check()?;
        url.check_redis(&others)?;
        Ok(url)
    }

    /// What Redis does not know it would take in silence.
    fn check_redis(&self, others: &[&str]) -> Result<(), ConnectError> {
        if !self.is_redis() {
            return Ok(());
        }
        for other in others {
            let name = other.split_once('=').map_or(*other, |(name, _)| name);
            let is_known = REDIS.contains(&name) && !OURS.contains(&name) && other.contains('=');
            if !is_known {
                let is_name = name.len() <= 32 && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
                // It may be a part of a password.
                let told = if is_name { name } else { ".." };
                let nearest = if is_name { percent::nearest(name, &REDIS) } else { None };
                return Err(ConnectError::UnknownParameter { name: told.to_owned(), nearest });
            }
        }
        Ok(())
    }

    fn is_redis(&self) -> bool {
        ["redis", "valkey", "unix"].iter().any(|name| self.scheme.starts_with(name))
    }

    /// What is for another engine would leave sessions where nobody looks for them.
    fn check(&self) -> Result<(), ConnectError> {
        let is_redis = self.is_redis();
        let is_sql = ["sqlite", "postgres", "mysql", "mariadb"].iter().any(|name| self.scheme.starts_with(name));
        if self.key_prefix.is_some() && !is_redis {
            return Err(wrong("key_prefix", "is for Redis alone"));
        }
        if self.table.is_some() && !is_sql {
            return Err(wrong("table", "is for SQL databases alone"));
        }
        if self.fastapi.is_some() && !is_redis {
            return Err(wrong(COMPATIBLE, "is for Redis alone, which is where the FastAPI system keeps its sessions"));
        }
        if self.fastapi.is_some() && self.key_prefix.is_some() {
            return Err(wrong(
                "key_prefix",
                "cannot stand beside `fastapi_compatible`: that system's keys begin with `session:id:`",
            ));
        }
        Ok(())
    }

    #[cfg(feature = "_sql")]
    fn options(&self) -> Result<super::SqlOptions, ConnectError> {
        let options = super::SqlOptions::new();
        match &self.table {
            // Not by the store, which tells the name: where a `&` is missing there is more in it.
            Some(table) if !super::sql::is_table(table) => Err(wrong(
                "table",
                "is not a name for a table: 1 to 48 ASCII letters, digits and `_`, not beginning with a digit; a schema may be before it, as in `schema.name`",
            )),
            Some(table) => Ok(options.table(table)),
            None => Ok(options),
        }
    }
}

/// What stands before the first `:`; nothing where that is no scheme (RFC 3986, section 3.1), since it is told in an error then and may be
/// a part of a password.
fn scheme(text: &str) -> String {
    let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
    let is_one = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte));
    if is_one { scheme.to_ascii_lowercase() } else { String::new() }
}

/// The parameters that this crate reads itself.
const PARAMETERS: [&str; 4] = ["key_prefix", "table", COMPATIBLE, SESSION_EXPIRE];

/// Those for Redis, and all that it knows there.
const OURS: [&str; 3] = ["key_prefix", COMPATIBLE, SESSION_EXPIRE];
const REDIS: [&str; 12] = [
    "key_prefix",
    COMPATIBLE,
    SESSION_EXPIRE,
    "protocol",
    "db",
    "user",
    "pass",
    "tls_ca",
    "tls_cert",
    "tls_key",
    "sentinel_user",
    "sentinel_password",
];

/// The parameter of this crate's own that has this name, percent-encoded or not.
fn own(name: &str) -> Option<&'static str> {
    let name = percent::decode(name)?;
    PARAMETERS.iter().copied().find(|own| *own == name)
}

fn decoded(name: &'static str, value: &str) -> Result<String, ConnectError> {
    percent::decode(value).ok_or_else(|| wrong(name, "is not percent-encoded UTF-8"))
}

const COMPATIBLE: &str = "fastapi_compatible";
const SESSION_EXPIRE: &str = "fastapi_session_expire";

fn truth(value: &str) -> Result<bool, ConnectError> {
    value.parse().map_err(|_| wrong(COMPATIBLE, "is `true` or `false`"))
}

fn seconds(value: &str) -> Result<Duration, ConnectError> {
    let seconds = value.parse::<NonZeroU64>().map_err(|_| wrong(SESSION_EXPIRE, "is a number of seconds, more than 0"))?;
    Ok(Duration::from_secs(seconds.get()))
}

const fn wrong(name: &'static str, problem: &'static str) -> ConnectError {
    ConnectError::Parameter { name, problem }
}

/// The store of a feature, or the error that names the feature.
macro_rules! engine {
    ($open:ident, $feature:literal, |$url:ident| $body:expr) => {
        #[cfg(feature = $feature)]
        async fn $open<T>($url: Url) -> Result<AnyStore<T>, ConnectError>
        where
            T: Serialize + DeserializeOwned + Send + Sync + 'static,
        {
            $body
        }

        #[cfg(not(feature = $feature))]
        async fn $open<T>(url: Url) -> Result<AnyStore<T>, ConnectError> {
            Err(ConnectError::MissingFeature { scheme: url.scheme, feature: $feature })
        }
    };
}

engine!(redis, "redis", |url| {
    if !cfg!(feature = "tls") && matches!(url.scheme.split('+').next(), Some("rediss" | "valkeys")) {
        return Err(ConnectError::MissingFeature { scheme: url.scheme, feature: "tls" });
    }
    let options = match url.key_prefix {
        Some(prefix) => super::RedisOptions::new().key_prefix(prefix),
        None => super::RedisOptions::new(),
    };
    let store = match url.scheme.strip_suffix("+cluster") {
        Some(scheme) => super::RedisStore::connect_cluster_with(nodes(scheme, &url.text), options).await?,
        None => super::RedisStore::connect_with(&url.text, options).await?,
    };
    let store = match url.fastapi {
        None => store,
        Some(FastApi { session_expire: None }) => store.fastapi_compatible(),
        Some(FastApi { session_expire: Some(limit) }) => store.fastapi_session_expire(limit),
    };
    Ok(AnyStore::new(store))
});

engine!(sqlite, "sqlite", |url| {
    let options = url.options()?;
    Ok(AnyStore::new(super::SqliteStore::connect_with(url.text, options).await?))
});

engine!(postgres, "postgres", |url| {
    let options = url.options()?;
    Ok(AnyStore::new(super::PostgresStore::connect_with(url.text, options).await?))
});

engine!(mysql, "mysql", |url| {
    let options = url.options()?;
    Ok(AnyStore::new(super::MySqlStore::connect_with(url.text, options).await?))
});

/// The URLs of the nodes that `redis+cluster://user:password@host:port,host:port` names.
#[cfg(feature = "redis")]
fn nodes(scheme: &str, url: &str) -> Vec<String> {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let (account, rest) = match rest.rsplit_once('@') {
        Some((account, rest)) => (format!("{account}@"), rest),
        None => (String::new(), rest),
    };
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (hosts, tail) = rest.split_at(end);
    hosts.split(',').map(|host| format!("{scheme}://{account}{host}{tail}")).collect()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    #[cfg(feature = "_sql")]
    use super::super::sql;
    use super::*;
    use crate::random::for_all;

    /// What connecting does with a URL before it talks to anybody.
    fn read(url: &str) -> Result<(), ConnectError> {
        let url = Url::parse(url)?;
        #[cfg(feature = "_sql")]
        url.options()?;
        match url.scheme.as_str() {
            #[cfg(feature = "redis")]
            "redis+cluster" | "rediss+cluster" => {
                super::super::redis::read_cluster(&nodes(url.scheme.trim_end_matches("+cluster"), &url.text))?;
            }
            #[cfg(feature = "redis")]
            scheme if ["redis", "valkey", "unix"].iter().any(|name| scheme.starts_with(name)) => {
                super::super::redis::read_url(&url.text)?;
            }
            #[cfg(feature = "sqlite")]
            "sqlite" => drop(sql::read_url::<sqlx::sqlite::SqliteConnectOptions>(&url.text, sql::SQLITE)?),
            #[cfg(feature = "postgres")]
            "postgres" | "postgresql" => drop(sql::read_url::<sqlx::postgres::PgConnectOptions>(&url.text, sql::POSTGRES)?),
            #[cfg(feature = "mysql")]
            "mysql" | "mariadb" => drop(sql::read_url::<sqlx::mysql::MySqlConnectOptions>(&url.text, sql::MYSQL)?),
            _ => {}
        }
        Ok(())
    }

    /// A password that is found nowhere else.
    const PASSWORD: &str = "hunter2-and-more";

    /// URLs with that password where an engine takes it.
    const URLS: [&str; 13] = [
        "redis://app:hunter2-and-more@db.test:6379/1?protocol=resp3&key_prefix=a:",
        "rediss://:hunter2-and-more@db.test?protocol=3",
        "valkey://:hunter2-and-more@[::1]?fastapi_compatible=true&fastapi_session_expire=60",
        "redis+unix:///run/redis.sock?db=1&protocol=resp2&pass=hunter2-and-more",
        "redis+sentinel://app:hunter2-and-more@a.test:1,b.test/shop/1?sentinel_user=watcher&sentinel_password=hunter2-and-more",
        "redis+cluster://app:hunter2-and-more@a.test:1,b.test:2/?protocol=resp3",
        "rediss+cluster://:hunter2-and-more@a.test,b.test",
        "sqlite:///var/lib/shop.db?mode=rwc&cache=private&immutable=0&table=visits&vfs=hunter2-and-more",
        "sqlite://shop.db?cache=shared&vfs=hunter2-and-more&immutable=true&mode=memory",
        "postgres://app:hunter2-and-more@db.test:5432/shop?sslmode=disable&table=visits",
        "postgresql:///shop?host=/run/pg&user=app&sslmode=prefer&password=hunter2-and-more&statement-cache-capacity=9&options[a]=b",
        "mysql://app:hunter2-and-more@db.test:3306/shop?ssl-mode=REQUIRED&charset=utf8mb4&table=visits",
        "mariadb://app:hunter2-and-more@db.test/shop?socket=/run/m.sock&statement-cache-capacity=9",
    ];

    fn assert_shows_no_password(url: &str) {
        let Err(error) = read(url) else { return };
        for said in [error.to_string(), format!("{error:?}")] {
            assert!(!said.contains(PASSWORD), "{said}");
        }
    }

    #[test]
    fn no_text_panics_where_a_url_is_expected() {
        let schemes = URLS.map(|url| url.split_once(':').unwrap().0).to_vec();
        let url = (prop::sample::select(schemes), ":(//)?", any::<String>());
        let url = url.prop_map(|(scheme, colon, rest)| format!("{scheme}{colon}{rest}"));
        for_all(prop_oneof![any::<String>(), url], |text| {
            let _ = read(&text);
        });
    }

    #[test]
    fn a_url_that_lacks_a_character_shows_no_password() {
        for url in URLS {
            assert!(read(url).is_ok() || !cfg!(feature = "tls"), "{url}: {:?}", read(url));
            let password = url.find(PASSWORD).unwrap();
            for at in (0..url.len()).filter(|at| !(password..password + PASSWORD.len()).contains(at)) {
                assert_shows_no_password(&[&url[..at], &url[at + 1..]].concat());
            }
        }
    }

    #[test]
    fn a_url_with_a_few_mistakes_panics_nowhere_and_shows_no_password() {
        // A character goes, becomes another, or comes; but in the password, which would be another.
        let mistake = (any::<prop::sample::Index>(), 0..3, prop_oneof!["[:/@?&=#%\\[\\], \"`]", ".", "[a-z0-9]"]);
        for_all((prop::sample::select(URLS.to_vec()), vec(mistake, 1..4)), |(url, mistakes)| {
            let (before, after) = url.split_once(PASSWORD).unwrap();
            let mut sides = [before, after].map(|side| side.chars().map(String::from).collect::<Vec<_>>());
            for (at, kind, text) in mistakes {
                let at = at.index(sides.iter().map(Vec::len).sum::<usize>() + 1);
                let (side, at) = if at < sides[0].len() { (0, at) } else { (1, at - sides[0].len()) };
                match sides[side].get_mut(at) {
                    Some(character) if kind == 0 => character.clear(),
                    Some(character) if kind == 1 => *character = text,
                    _ => sides[side].insert(at, text),
                }
            }
            let [before, after] = sides.map(|side| side.concat());
            assert_shows_no_password(&format!("{before}{PASSWORD}{after}"));
        });
    }

    #[cfg(any(feature = "redis", feature = "postgres", feature = "mysql"))]
    #[tokio::test]
    async fn a_server_that_is_not_there_shows_no_password() {
        for (feature, scheme) in [
            (cfg!(feature = "redis"), "redis"),
            (cfg!(feature = "redis"), "redis+cluster"),
            (cfg!(feature = "postgres"), "postgres"),
            (cfg!(feature = "mysql"), "mysql"),
        ] {
            if feature {
                let error = connect::<u32>(format!("{scheme}://app:{PASSWORD}@127.0.0.1:1/")).await.unwrap_err();
                assert!(matches!(error, ConnectError::Store(_)), "{scheme}: {error:?}");
                assert!(!format!("{error} {error:?}").contains(PASSWORD), "{scheme}");
            }
        }
    }

    #[test]
    fn what_may_be_a_part_of_a_password_is_not_taken_for_the_scheme() {
        for url in ["hunter2", "redis//hunter2@db.test:6379", "redis//app:hunter2@db.test", "//hunter2:", ":hunter2"] {
            let said = Url::parse(url).map(|url| url.scheme);
            assert_eq!(said.unwrap(), "", "{url}");
        }
    }

    #[test]
    fn the_parameters_of_this_crate_are_not_handed_to_the_engine() {
        let url = Url::parse("Postgres://app@host/db?table=visits&sslmode=require").unwrap();
        assert_eq!(url.scheme, "postgres");
        assert_eq!((url.text.as_str(), url.table.as_deref()), ("Postgres://app@host/db?sslmode=require", Some("visits")));
        let url = Url::parse("redis://host?key_prefix=a:&protocol=resp3").unwrap();
        assert_eq!((url.text.as_str(), url.key_prefix.as_deref()), ("redis://host?protocol=resp3", Some("a:")));
    }

    #[test]
    fn a_parameter_is_read_as_it_is_encoded() {
        assert_eq!(Url::parse("redis://host?%6bey_prefix=a%3A").unwrap().key_prefix.as_deref(), Some("a:"));
        assert!(Url::parse("redis://host?key_prefix=%zz").is_err());
    }

    #[test]
    fn sharing_with_the_fastapi_system_is_asked_for_by_its_name_or_by_its_expiry() {
        let fastapi = |query: &str| Url::parse(&format!("redis://host{query}")).unwrap().fastapi;
        let hour = Some(Duration::from_secs(3600));
        assert_eq!(fastapi(""), None);
        assert_eq!(fastapi("?fastapi_compatible=false"), None);
        assert_eq!(fastapi("?fastapi_compatible=true"), Some(FastApi { session_expire: None }));
        assert_eq!(fastapi("?fastapi_session_expire=3600"), Some(FastApi { session_expire: hour }));
    }

    #[test]
    fn a_parameter_that_cannot_be_had_is_named() {
        for (url, name) in [
            ("redis://host?table=visits", "table"),
            ("memory:?key_prefix=a:", "key_prefix"),
            ("sqlite://file?key_prefix=a:", "key_prefix"),
            ("mysql://host?fastapi_compatible=true", "fastapi_compatible"),
            ("redis://host?fastapi_compatible=yes", "fastapi_compatible"),
            ("redis://host?fastapi_compatible=true&key_prefix=a:", "key_prefix"),
            ("redis://host?fastapi_session_expire=0", "fastapi_session_expire"),
            ("redis://host?fastapi_session_expire=24h", "fastapi_session_expire"),
            ("redis://host?fastapi_compatible=false&fastapi_session_expire=60", "fastapi_session_expire"),
        ] {
            let said = Url::parse(url).unwrap_err().to_string();
            assert!(said.starts_with(&format!("the parameter `{name}`")), "{url}: {said}");
        }
    }

    #[cfg(not(feature = "redis"))]
    #[tokio::test]
    async fn a_missing_feature_is_named() {
        let said = connect::<u32>("redis://user:secret@host/").await.unwrap_err().to_string();
        assert!(said.contains("feature `redis`") && !said.contains("secret"), "{said}");
    }

    #[cfg(feature = "redis")]
    #[test]
    fn a_cluster_url_names_several_nodes() {
        assert_eq!(
            nodes("redis", "redis+cluster://me:p@ss@a:1,b:2/?protocol=resp3"),
            ["redis://me:p@ss@a:1/?protocol=resp3", "redis://me:p@ss@b:2/?protocol=resp3"]
        );
    }
}
