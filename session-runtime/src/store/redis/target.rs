//! What a URL and its options lead to.

use std::path::Path;

use redis::{Client, RedisConnectionInfo};

use super::endpoint::{Common, Endpoint, of_url};
use super::options::RedisOptions;
use super::probe::Probe;
use super::wire::Address;
use crate::store::StoreError;

pub(super) enum Target {
    Single(Box<Endpoint>),
    Cluster { nodes: Vec<Address>, common: Common, probe: Probe },
}

/// What keys begin with unless told otherwise.
pub(super) const PREFIX: &str = "session:";

impl RedisOptions {
    fn probe(&self) -> Probe {
        Probe::of(self.key_prefix.as_deref().unwrap_or(PREFIX), self.key_prefix.is_some())
    }
}

impl Target {
    /// A server, or the one that the sentinels of a `redis+sentinel://` URL know.
    pub(super) fn of_url(url: &str, options: &RedisOptions) -> Result<Self, StoreError> {
        let mut options = options.clone();
        let url = take_files(url, &mut options)?;
        if let Some((scheme, rest)) = split_sentinel(&url) {
            return Self::behind_sentinels(scheme, rest, &options);
        }
        let (address, common) = of_url(&url, options.credentials.clone(), &options.certificates)?;
        Ok(Self::single(Endpoint::at(address, common, Some(options.probe()))))
    }

    pub(super) fn of_client(client: Client, options: &RedisOptions) -> Result<Self, StoreError> {
        Ok(Self::single(Endpoint::of_client(client, options.credentials.clone(), options.probe())?))
    }

    fn single(endpoint: Endpoint) -> Self {
        Self::Single(Box::new(endpoint))
    }

    /// `host:port,host:port/name/db?sentinel_user=..`
    fn behind_sentinels(scheme: &str, rest: &str, options: &RedisOptions) -> Result<Self, StoreError> {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (account, hosts) = authority.rsplit_once('@').map_or(("", authority), |(account, hosts)| (account, hosts));
        let (name, db) = path.split_once('/').unwrap_or((path, ""));
        let (mut settings, mut others) = (RedisConnectionInfo::default(), Vec::new());
        for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
            match parameter.split_once('=') {
                Some(("sentinel_user", user)) => settings = settings.set_username(decoded(user)?),
                Some(("sentinel_password", password)) => settings = settings.set_password(decoded(password)?),
                _ => others.push(parameter),
            }
        }
        if name.is_empty() {
            return Err(StoreError::unavailable(
                "a URL of sentinels names the primary that they watch: redis+sentinel://host:port,host:port/name",
            ));
        }
        let at = if account.is_empty() { String::new() } else { format!("{account}@") };
        let mut sentinels = Vec::new();
        let mut common = None;
        for host in hosts.split(',') {
            let port = if has_port(host) { "" } else { ":26379" };
            let url = format!("{scheme}://{at}{host}{port}/{db}?{}", others.join("&"));
            let (address, of_this) = of_url(&url, options.credentials.clone(), &options.certificates)?;
            sentinels.push(address);
            common.get_or_insert(of_this);
        }
        let common = common.ok_or_else(|| StoreError::unavailable("a URL of sentinels names at least one"))?;
        let (name, probe) = (decoded(name)?, options.probe());
        Ok(Self::single(Endpoint::behind_sentinels(sentinels, name, settings, common, probe)))
    }

    /// A cluster that some of its nodes' URLs lead to.
    pub(super) fn of_nodes(urls: &[String], options: &RedisOptions) -> Result<Self, StoreError> {
        let mut options = options.clone();
        let (mut nodes, mut common) = (Vec::new(), None);
        for url in urls {
            let url = take_files(url, &mut options)?;
            let (address, of_this) = of_url(&url, options.credentials.clone(), &options.certificates)?;
            nodes.push(address);
            common.get_or_insert(of_this);
        }
        let common =
            common.ok_or_else(|| StoreError::unavailable("a cluster is found by the URL of at least one of its nodes"))?;
        Ok(Self::Cluster { nodes, common, probe: options.probe() })
    }
}

fn split_sentinel(url: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = url.split_once("://")?;
    Some((scheme.strip_suffix("+sentinel")?, rest))
}

fn has_port(host: &str) -> bool {
    host.rsplit_once(':').is_some_and(|(before, port)| !port.contains(']') && (!before.contains(':') || before.ends_with(']')))
}

/// The parameters that name files of TLS become options. Without a `?` there are none.
fn take_files(url: &str, options: &mut RedisOptions) -> Result<String, StoreError> {
    let Some((base, query)) = url.split_once('?') else { return Ok(url.to_owned()) };
    let (mut others, mut certificate, mut key) = (Vec::new(), None, None);
    for parameter in query.split('&').filter(|parameter| !parameter.is_empty()) {
        match parameter.split_once('=') {
            Some(("tls_ca", path)) => options.certificates.authorities = Some(file(path)?),
            Some(("tls_cert", path)) => certificate = Some(file(path)?),
            Some(("tls_key", path)) => key = Some(file(path)?),
            _ => others.push(parameter),
        }
    }
    match (certificate, key) {
        (None, None) => {}
        (Some(certificate), Some(key)) => options.certificates.client = Some((certificate, key)),
        _ => return Err(StoreError::unavailable("`tls_cert` and `tls_key` come together")),
    }
    Ok(if others.is_empty() { base.to_owned() } else { format!("{base}?{}", others.join("&")) })
}

fn file(path: &str) -> Result<Vec<u8>, StoreError> {
    let path = decoded(path)?;
    std::fs::read(Path::new(&path)).map_err(|error| StoreError::unavailable(format!("{path}: {error}")))
}

/// Percent-decoded, as in the query of a URL.
pub(super) fn decoded(text: &str) -> Result<String, StoreError> {
    crate::store::percent::decode(text)
        .ok_or_else(|| StoreError::unavailable("a parameter of the URL is not percent-encoded UTF-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(url: &str) -> String {
        match Target::of_url(url, &RedisOptions::new()) {
            Ok(_) => panic!("{url}"),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn a_url_of_sentinels_names_them_and_the_primary() {
        let target = |url| Target::of_url(url, &RedisOptions::new());
        for url in [
            "redis+sentinel://a.test/shop",
            "redis+sentinel://app:secret@a.test:1,[::1],[::1]:3/my%20shop/2?protocol=3&sentinel_user=a&sentinel_password=b%40c",
        ] {
            let Ok(Target::Single(endpoint)) = target(url) else { panic!("{url}") };
            assert!(endpoint.to_string().ends_with("shop (by sentinels)"), "{endpoint}");
        }
        for (url, said) in [
            ("redis+sentinel://a.test", "names the primary"),
            ("redis+sentinel://a.test/?sentinel_user=a", "names the primary"),
            ("redis+sentinel://a.test/shop/x", "Invalid database number"),
            ("redis+sentinel://a.test/shop?sentinel_user=%zz", "not percent-encoded"),
        ] {
            let refusal = refused(url);
            assert!(refusal.contains(said), "{url}: {refusal}");
        }
    }

    #[test]
    fn a_host_has_a_port_or_not() {
        for (host, expected) in [("a", false), ("a:1", true), ("[::1]", false), ("[::1]:1", true), ("::1", false)] {
            assert_eq!(has_port(host), expected, "{host}");
        }
    }

    #[test]
    fn files_of_tls_come_together_and_are_named_where_they_are_not_there() {
        assert!(refused("redis://a.test?tls_ca=/no/such%20file").contains("/no/such file: "));
        assert!(refused("redis://a.test?tls_cert=/dev/null").contains("come together"));
        assert!(refused("redis://a.test?tls_ca=/dev/null").contains("begin the URL with `rediss://`"));
    }
}
