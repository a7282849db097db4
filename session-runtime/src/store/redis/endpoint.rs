//! How a connection is made: to whom, as whom, and what is asked first.

use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use redis::aio::{ConnectionLike, MultiplexedConnection};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, Pipeline, RedisConnectionInfo,
    RedisError, RedisResult, Value, cmd,
};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::options::Provider;
use super::probe::{self, Probe};
use super::tls::{Certificates, Tls};
use super::wire::{Address, Counts, Wire};
use crate::store::StoreError;

/// How long making a connection may take. Nobody needs to wait for it: who comes later finds it made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(12);

/// After so long another attempt is made beside one that hangs: the address may lead to another server by now.
const NEXT_ATTEMPT: Duration = Duration::from_secs(2);

const ATTEMPTS: usize = 4;

/// How long one sentinel may take to answer.
const SENTINEL_TIMEOUT: Duration = Duration::from_secs(1);

/// The longest value that a server takes, unless it says otherwise.
const MAX_BULK: u64 = 512 << 20;

pub(super) struct Endpoint {
    place: Place,
    settings: RedisConnectionInfo,
    credentials: Option<Provider>,
    tls: Option<Tls>,
    /// What a new connection is asked, where it is to a server alone.
    probe: Option<Probe>,
    /// The server's `proto-max-bulk-len`.
    max_bulk: Arc<AtomicU64>,
}

enum Place {
    At(Address),
    Sentinel(Sentinels),
    /// A client of the user's, which connects in its own way.
    Client(Client),
}

/// Who know the primary of this name. They are asked as `settings` say.
struct Sentinels {
    addresses: Vec<Address>,
    master: String,
    settings: RedisConnectionInfo,
}

/// What all the connections of a store have in common.
#[derive(Clone)]
pub(super) struct Common {
    pub(super) settings: RedisConnectionInfo,
    pub(super) credentials: Option<Provider>,
    pub(super) tls: Option<Tls>,
    pub(super) max_bulk: Arc<AtomicU64>,
}

impl Common {
    fn new(info: &ConnectionInfo, credentials: Option<Provider>, certificates: &Certificates) -> Result<Self, StoreError> {
        let tls = match info.addr() {
            ConnectionAddr::TcpTls { .. } => Some(Tls::new(certificates)?),
            _ if certificates.is_none() => None,
            _ => return Err(StoreError::unavailable("certificates are for TLS: begin the URL with `rediss://`")),
        };
        Ok(Self { settings: info.redis_settings().clone(), credentials, tls, max_bulk: Arc::new(AtomicU64::new(MAX_BULK)) })
    }
}

/// The address of a URL, and what its connections have in common.
pub(super) fn of_url(
    url: &str,
    credentials: Option<Provider>,
    certificates: &Certificates,
) -> Result<(Address, Common), StoreError> {
    let info = url.into_connection_info().map_err(|error| unreadable(&error))?;
    let common = Common::new(&info, credentials, certificates)?;
    Ok((address(info.addr())?, common))
}

fn address(addr: &ConnectionAddr) -> Result<Address, StoreError> {
    match addr {
        ConnectionAddr::Tcp(host, port) | ConnectionAddr::TcpTls { host, port, insecure: false, .. } => {
            Ok(Address::Tcp(host.clone(), *port))
        }
        ConnectionAddr::Unix(path) => Ok(Address::Unix(path.clone())),
        _ => Err(StoreError::unavailable("`#insecure` is not supported: trust the server's authority by `tls_ca`")),
    }
}

/// What is wrong with a URL. The value that is wrong is not told: where a `&` is missing there is more in it.
fn unreadable(error: &RedisError) -> StoreError {
    let said = error.to_string();
    let detail = error.detail().map(|detail| format!(": {detail}"));
    StoreError::unavailable(detail.and_then(|detail| said.strip_suffix(&*detail)).unwrap_or(&said))
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::At(address) => address.fmt(f),
            Place::Sentinel(Sentinels { master, .. }) => write!(f, "{master} (by sentinels)"),
            Place::Client(client) => client.get_connection_info().addr().fmt(f),
        }
    }
}

impl Endpoint {
    pub(super) fn at(address: Address, common: Common, probe: Option<Probe>) -> Self {
        Self::new(Place::At(address), common, probe)
    }

    /// The primary that the sentinels know by this name; they are asked as `settings` say.
    pub(super) fn behind_sentinels(
        addresses: Vec<Address>,
        master: String,
        settings: RedisConnectionInfo,
        common: Common,
        probe: Probe,
    ) -> Self {
        Self::new(Place::Sentinel(Sentinels { addresses, master, settings }), common, Some(probe))
    }

    /// A server by a client of the user's. Where it brings certificates or a way of its own, it connects itself.
    pub(super) fn of_client(client: Client, credentials: Option<Provider>, probe: Probe) -> Result<Self, StoreError> {
        let info = client.get_connection_info();
        let is_its_own = matches!(
            info.addr(),
            ConnectionAddr::TcpTls { insecure: true, .. } | ConnectionAddr::TcpTls { tls_params: Some(_), .. }
        );
        if is_its_own && credentials.is_some() {
            return Err(StoreError::unavailable("a client with certificates of its own takes no provider of credentials"));
        }
        let common = Common::new(info, credentials, &Certificates::default())?;
        let place = if is_its_own { Place::Client(client) } else { Place::At(address(info.addr())?) };
        Ok(Self::new(place, common, Some(probe)))
    }

    fn new(place: Place, common: Common, probe: Option<Probe>) -> Self {
        let Common { settings, credentials, tls, max_bulk } = common;
        Self { place, settings, credentials, tls, probe, max_bulk }
    }

    pub(super) fn max_bulk(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.max_bulk)
    }

    /// A connection over which the server was found to be what a store needs. An attempt that hangs does not keep another one from being made.
    pub(super) async fn connect(&self) -> RedisResult<Link> {
        let mut attempts = FuturesUnordered::new();
        let deadline = Instant::now() + CONNECT_TIMEOUT;
        let mut pause = Box::pin(sleep(Duration::ZERO));
        let mut deadline = Box::pin(sleep_until(deadline));
        let mut made = 0;
        poll_fn(|cx| {
            while made < ATTEMPTS && pause.as_mut().poll(cx).is_ready() {
                attempts.push(self.attempt());
                made += 1;
                pause.as_mut().reset(Instant::now() + NEXT_ATTEMPT);
            }
            while let Poll::Ready(Some(attempt)) = attempts.poll_next_unpin(cx) {
                if attempt.is_ok() || attempts.is_empty() {
                    return Poll::Ready(attempt);
                }
            }
            deadline.as_mut().poll(cx).map(|()| Err(io::Error::from(io::ErrorKind::TimedOut).into()))
        })
        .await
    }

    async fn attempt(&self) -> RedisResult<Link> {
        let mut settings = self.settings.clone();
        if let Some(provider) = &self.credentials {
            let given = provider.ask().await.map_err(io::Error::other)?;
            settings = settings.set_password(given.password);
            if let Some(user) = given.user {
                settings = settings.set_username(user);
            }
        }
        match &self.place {
            Place::At(address) => self.attempt_at(address, &settings).await,
            Place::Sentinel(sentinels) => self.attempt_by(sentinels, &settings).await,
            Place::Client(client) => {
                let redis = client.get_multiplexed_async_connection_with_config(&config()).await?;
                let name = client.get_connection_info().addr().to_string();
                self.probed(Link { redis, driver: None, counts: None }, &name).await
            }
        }
    }

    async fn attempt_at(&self, address: &Address, settings: &RedisConnectionInfo) -> RedisResult<Link> {
        self.probed(Link::to(address, self.tls.as_ref(), settings).await?, &address.to_string()).await
    }

    async fn probed(&self, mut link: Link, name: &str) -> RedisResult<Link> {
        if let Some(probe) = &self.probe {
            let answers = link.call_all(&probe.commands()).await?;
            let user = self.settings.username().unwrap_or("default");
            let found = probe.read(answers, name, user).map_err(RedisError::from)?;
            self.max_bulk.store(found.unwrap_or(MAX_BULK), Ordering::Relaxed);
        }
        Ok(link)
    }

    /// To the first that can be used of those that sentinels name: one of them may not have heard of a failover yet.
    async fn attempt_by(&self, sentinels: &Sentinels, settings: &RedisConnectionInfo) -> RedisResult<Link> {
        let named = Mutex::default();
        let by = |sentinel| self.attempt_by_one(sentinel, sentinels, settings, &named).boxed();
        let mut attempts: FuturesUnordered<_> = sentinels.addresses.iter().map(by).collect();
        let mut last = (false, io::Error::other("there is no sentinel").into());
        while let Some(attempt) = attempts.next().await {
            match attempt {
                Ok(Some(link)) => return Ok(link),
                // What a server says tells more than what a sentinel says.
                Err(error) if error.0 || !last.0 => last = error,
                Ok(None) | Err(_) => {}
            }
        }
        Err(last.1)
    }

    /// To the one that this sentinel names, unless another has named it; or why not, and whether that is of the server.
    async fn attempt_by_one(
        &self,
        sentinel: &Address,
        sentinels: &Sentinels,
        settings: &RedisConnectionInfo,
        named: &Mutex<Vec<Address>>,
    ) -> Result<Option<Link>, (bool, RedisError)> {
        let address = match timeout(SENTINEL_TIMEOUT, self.named_by(sentinel, sentinels)).await {
            Ok(address) => address.map_err(|error| (false, error))?,
            Err(_) => return Err((false, io::Error::new(io::ErrorKind::TimedOut, "no sentinel answers").into())),
        };
        {
            let mut named = named.lock().unwrap_or_else(PoisonError::into_inner);
            if named.contains(&address) {
                return Ok(None);
            }
            named.push(address.clone());
        }
        self.attempt_at(&address, settings).await.map(Some).map_err(|error| (true, error))
    }

    async fn named_by(&self, sentinel: &Address, sentinels: &Sentinels) -> RedisResult<Address> {
        let mut link = Link::to(sentinel, self.tls.as_ref(), &sentinels.settings).await?;
        match link.call(cmd("SENTINEL").arg("get-master-addr-by-name").arg(&sentinels.master)).await? {
            Value::Nil => Err(io::Error::other("no sentinel knows a primary of this name").into()),
            answer => {
                let (host, port): (String, u16) = redis::from_redis_value(answer)?;
                Ok(Address::Tcp(host, port))
            }
        }
    }
}

/// The redis crate waits for nothing: how long is decided here. And it never writes before it has read what is there to read.
fn config() -> AsyncConnectionConfig {
    AsyncConnectionConfig::new()
        .set_connection_timeout(None)
        .set_response_timeout(None)
        .set_pipeline_buffer_size(1024)
        .set_write_backpressure_boundary(usize::MAX)
}

/// A connection, and what moves it: it lives in the task that uses it, which then knows what has left and what has not.
pub(super) struct Link {
    pub(super) redis: MultiplexedConnection,
    /// None where the client spawned it, or where it has ended.
    pub(super) driver: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
    /// None where nobody counts.
    pub(super) counts: Option<Arc<Counts>>,
}

impl Link {
    async fn to(address: &Address, tls: Option<&Tls>, settings: &RedisConnectionInfo) -> RedisResult<Self> {
        let wire = Wire::to(address, tls).await?;
        let counts = wire.counts();
        let (redis, driver) = MultiplexedConnection::new_with_config(settings, wire, config()).await?;
        Ok(Self { redis, driver: Some(Box::pin(driver)), counts: Some(counts) })
    }

    /// Whether the connection is over.
    pub(super) fn poll_over(&mut self, cx: &mut Context<'_>) -> bool {
        self.driver.as_mut().is_some_and(|driver| driver.as_mut().poll(cx).is_ready())
    }

    /// Whether it had ended before anything else is handed over, where nothing that moves it is here to tell. It refuses a call then; one that it
    /// takes is dropped before it leaves.
    pub(super) fn is_gone(&self) -> bool {
        if self.driver.is_some() {
            return false;
        }
        let (mut redis, ping) = (self.redis.clone(), cmd("PING"));
        let mut call = redis.req_packed_command(&ping);
        call.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_ready()
    }

    pub(super) async fn call(&mut self, command: &Cmd) -> RedisResult<Value> {
        let mut redis = self.redis.clone();
        self.moving(async move { redis.req_packed_command(command).await }).await?.extract_error()
    }

    async fn call_all(&mut self, commands: &Pipeline) -> RedisResult<Vec<Value>> {
        let mut redis = self.redis.clone();
        self.moving(async move { redis.req_packed_commands(commands, 0, commands.len()).await }).await
    }

    /// Moves the connection until there is an answer.
    async fn moving<T>(&mut self, call: impl Future<Output = T>) -> T {
        let mut call = std::pin::pin!(call);
        poll_fn(|cx| {
            let answer = call.as_mut().poll(cx);
            if answer.is_pending() && self.driver.is_some() {
                // What it hands over now leaves now; where the connection ends by that, the call hears of it.
                if self.poll_over(cx) {
                    self.driver = None;
                }
                return call.as_mut().poll(cx);
            }
            answer
        })
        .await
    }
}

impl From<probe::Refusal> for RedisError {
    fn from(refusal: probe::Refusal) -> Self {
        io::Error::other(refusal.0).into()
    }
}
