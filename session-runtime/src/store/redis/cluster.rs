//! A cluster: which node has which slot, and a server for each node.

use std::collections::HashMap;
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use redis::{Cmd, RedisError, Value, cmd};
use tokio::runtime::Handle;
use tokio::time::{sleep, timeout};

use super::endpoint::{Common, Endpoint};
use super::queue::{Answer, Ask};
use super::server::Server;
use super::slot::{SLOTS, slot};
use super::verdict::{Elsewhere, Failed};
use super::wire::Address;

/// How often a call goes elsewhere, or waits, while the cluster changes.
const TRIES: usize = 16;

/// How long it waits.
const PAUSE: Duration = Duration::from_millis(100);

/// How long a node may take to say who has which slot, before others are asked too.
const TOPOLOGY_TIMEOUT: Duration = Duration::from_secs(1);

/// Calls that are given up have the topology looked at so often.
const LOOK_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Cluster(Arc<Shared>);

struct Shared {
    seeds: Vec<Address>,
    common: Common,
    nodes: Mutex<HashMap<Address, Arc<Server>>>,
    map: RwLock<Arc<Map>>,
    /// Held while the map is made anew.
    turn: tokio::sync::Mutex<()>,
    /// Counts the maps.
    made: AtomicU64,
    looked: Mutex<Option<Instant>>,
    is_closed: AtomicBool,
}

/// Who has which slot.
#[derive(Default)]
struct Map {
    /// The last slot of each range, in order, and its primary.
    ranges: Vec<(u16, u16, Arc<Server>)>,
    replicas: Vec<Address>,
}

impl Map {
    fn primary(&self, slot: u16) -> Option<&Arc<Server>> {
        let place = self.ranges.partition_point(|(_, last, _)| *last < slot);
        self.ranges.get(place).filter(|(first, ..)| *first <= slot).map(|(.., server)| server)
    }
}

impl Cluster {
    pub(super) async fn connect(seeds: Vec<Address>, common: Common) -> Result<Self, Failed> {
        let shared = Arc::new(Shared {
            seeds,
            common,
            nodes: Mutex::default(),
            map: RwLock::default(),
            turn: tokio::sync::Mutex::default(),
            made: AtomicU64::new(0),
            looked: Mutex::default(),
            is_closed: AtomicBool::new(false),
        });
        shared.look().await?;
        let map = shared.map();
        let mut primaries: Vec<_> = map.ranges.iter().map(|(.., server)| server).collect();
        primaries.sort_by_key(|server| Arc::as_ptr(server));
        primaries.dedup_by_key(|server| Arc::as_ptr(server));
        for connected in join_all(primaries.into_iter().map(|server| server.connect())).await {
            connected?;
        }
        Ok(Self(shared))
    }

    pub(super) async fn send(&self, command: impl Fn() -> Cmd, may_run_twice: bool) -> Result<Value, Failed> {
        let given_up = GivenUp(Some(&self.0));
        let result = self.0.send(&command, may_run_twice).await;
        given_up.disarm();
        result
    }

    pub(super) async fn close(&self) {
        self.0.is_closed.store(true, Ordering::Release);
        let nodes: Vec<_> = self.0.nodes().values().cloned().collect();
        join_all(nodes.iter().map(|server| server.close())).await;
    }
}

/// A call under way. If it is dropped before the end, its caller gave it up: its node may be silent, and another in its place.
struct GivenUp<'a>(Option<&'a Arc<Shared>>);

impl GivenUp<'_> {
    fn disarm(mut self) {
        self.0 = None;
    }
}

impl Drop for GivenUp<'_> {
    fn drop(&mut self) {
        if let Some(shared) = self.0 {
            shared.look_soon();
        }
    }
}

impl Shared {
    async fn send(self: &Arc<Self>, command: &(impl Fn() -> Cmd + Sized), may_run_twice: bool) -> Result<Value, Failed> {
        let slot = slot_of(&command());
        let mut is_asking = false;
        let mut server = match self.map().primary(slot) {
            Some(server) => Arc::clone(server),
            None => self.primary_anew(slot).await?,
        };
        for left in (0..TRIES).rev() {
            let ask = || if is_asking { Ask::Asking(command()) } else { Ask::Alone(command()) };
            let failed = match server.ask(ask, may_run_twice).await {
                Ok(Answer { value, .. }) => return Ok(value),
                Err(failed) => failed,
            };
            if left == 0 {
                return Err(failed);
            }
            match failed.elsewhere() {
                Some(Elsewhere::Moved(node)) => {
                    self.look_soon();
                    (server, is_asking) = (self.node_at(&node)?, false);
                }
                Some(Elsewhere::Ask(node)) => (server, is_asking) = (self.node_at(&node)?, true),
                Some(Elsewhere::Later) => {
                    sleep(PAUSE).await;
                    (server, is_asking) = (self.primary_anew(slot).await?, false);
                }
                // Its node is gone, or the connection to it. It was tried twice already; another node may have the slot by now.
                None if failed.is_of_the_connection() && failed.verdict.is_harmless(may_run_twice) => {
                    let next = self.primary_anew(slot).await?;
                    if Arc::ptr_eq(&next, &server) {
                        return Err(failed);
                    }
                    (server, is_asking) = (next, false);
                }
                None => return Err(failed),
            }
        }
        Err(Failed::unreachable(unknown()))
    }

    fn map(&self) -> Arc<Map> {
        Arc::clone(&self.map.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn nodes(&self) -> std::sync::MutexGuard<'_, HashMap<Address, Arc<Server>>> {
        self.nodes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn node(&self, address: &Address) -> Result<Arc<Server>, Failed> {
        let mut nodes = self.nodes();
        if let Some(server) = nodes.get(address) {
            return Ok(Arc::clone(server));
        }
        if self.is_closed.load(Ordering::Acquire) {
            return Err(Failed::unreachable(io::Error::new(io::ErrorKind::NotConnected, "the session store is closed").into()));
        }
        let endpoint = Endpoint::at(address.clone(), self.common.clone(), None);
        let server = Arc::new(Server::new(endpoint));
        nodes.insert(address.clone(), Arc::clone(&server));
        Ok(server)
    }

    fn node_at(&self, text: &str) -> Result<Arc<Server>, Failed> {
        let (host, port) = text.rsplit_once(':').ok_or_else(|| Failed::unreachable(unknown()))?;
        let port = port.parse().map_err(|_| Failed::unreachable(unknown()))?;
        self.node(&Address::Tcp(host.to_owned(), port))
    }

    /// Who has the slot, when somebody has been asked.
    async fn primary_anew(self: &Arc<Self>, slot: u16) -> Result<Arc<Server>, Failed> {
        self.look().await?;
        self.map().primary(slot).map(Arc::clone).ok_or_else(|| Failed::unreachable(unknown()))
    }

    /// Asks who has which slot, in a task of its own: who gives up leaves it to the next one.
    async fn look(self: &Arc<Self>) -> Result<(), Failed> {
        let (shared, seen) = (Arc::clone(self), self.made.load(Ordering::Acquire));
        let looking = tokio::spawn(async move {
            let _turn = shared.turn.lock().await;
            if shared.made.load(Ordering::Acquire) != seen {
                return Ok(());
            }
            let map = shared.topology().await?;
            *shared.map.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(map);
            shared.made.fetch_add(1, Ordering::AcqRel);
            Ok(())
        });
        looking.await.unwrap_or_else(|_| Err(Failed::unreachable(unknown())))
    }

    fn look_soon(self: &Arc<Self>) {
        let Ok(runtime) = Handle::try_current() else { return };
        let mut looked = self.looked.lock().unwrap_or_else(PoisonError::into_inner);
        if looked.is_some_and(|last| last.elapsed() < LOOK_PAUSE) || self.is_closed.load(Ordering::Acquire) {
            return;
        }
        *looked = Some(Instant::now());
        let shared = Arc::clone(self);
        runtime.spawn(async move {
            // Who needs it asks again.
            let _ = shared.look().await;
        });
    }

    /// From the first that answers: the primaries that are known, else whoever else is.
    async fn topology(&self) -> Result<Map, Failed> {
        let map = self.map();
        let mut primaries: Vec<_> = Vec::new();
        for (address, server) in &*self.nodes() {
            if map.ranges.iter().any(|(.., primary)| Arc::ptr_eq(primary, server)) {
                primaries.push(address.clone());
            }
        }
        let others = map.replicas.iter().chain(&self.seeds).filter(|address| !primaries.contains(address)).cloned().collect();
        let mut last = Failed::unreachable(unknown());
        for asked in [primaries, others] {
            let asked: Vec<_> = asked.iter().map(|address| Ok((address, self.node(address)?))).collect::<Result<_, Failed>>()?;
            let mut answers: FuturesUnordered<_> = asked
                .iter()
                .map(async |(address, server)| {
                    let mut command = cmd("CLUSTER");
                    command.arg("SLOTS");
                    (*address, server.ask(|| Ask::Alone(command.clone()), true).await)
                })
                .collect();
            let wait = if map.ranges.is_empty() { Duration::MAX } else { TOPOLOGY_TIMEOUT };
            while let Ok(Some((address, answer))) = timeout(wait, answers.next()).await {
                match answer.and_then(|answer| self.read(answer.value, address)) {
                    Ok(map) => {
                        self.forget_others(&map);
                        return Ok(map);
                    }
                    Err(failed) => last = failed,
                }
            }
        }
        Err(last)
    }

    /// An answer to `CLUSTER SLOTS` by the node at `address`.
    fn read(&self, answer: Value, address: &Address) -> Result<Map, Failed> {
        let mut map = Map::default();
        let Value::Array(ranges) = answer else { return Err(Failed::unreachable(unknown())) };
        for range in ranges {
            let Value::Array(range) = range else { continue };
            let [Value::Int(first), Value::Int(last), primary, replicas @ ..] = &range[..] else { continue };
            let (Ok(first), Ok(last)) = (u16::try_from(*first), u16::try_from(*last)) else { continue };
            let Some(primary) = node_of(primary, address) else { continue };
            if first > last || last >= SLOTS {
                continue;
            }
            map.ranges.push((first, last, self.node(&primary)?));
            map.replicas.extend(replicas.iter().filter_map(|replica| node_of(replica, address)));
        }
        if map.ranges.is_empty() {
            return Err(Failed::unreachable(io::Error::other("the cluster's node knows of no slots").into()));
        }
        map.ranges.sort_by_key(|(first, ..)| *first);
        Ok(map)
    }

    /// What is not in the map is not needed any more; who is about to use it has it still.
    fn forget_others(&self, map: &Map) {
        self.nodes().retain(|_, server| map.ranges.iter().any(|(.., primary)| Arc::ptr_eq(primary, server)));
    }
}

/// A node in an answer to `CLUSTER SLOTS`. Where it does not know its own host, it is the one that was asked.
fn node_of(node: &Value, asked: &Address) -> Option<Address> {
    let Value::Array(node) = node else { return None };
    let [host, Value::Int(port), ..] = &node[..] else { return None };
    let host = match host {
        Value::BulkString(host) => String::from_utf8(host.clone()).ok()?,
        Value::SimpleString(host) => host.clone(),
        _ => String::new(),
    };
    match (host.as_str(), asked) {
        ("" | "?", Address::Tcp(host, _)) => Some(Address::Tcp(host.clone(), u16::try_from(*port).ok()?)),
        ("" | "?", Address::Unix(_)) => None,
        _ => Some(Address::Tcp(host, u16::try_from(*port).ok()?)),
    }
}

/// The slot of a script's first key.
fn slot_of(command: &Cmd) -> u16 {
    match command.args_iter().nth(3) {
        Some(redis::Arg::Simple(key)) => slot(key),
        _ => 0,
    }
}

fn unknown() -> RedisError {
    io::Error::other("no node of the cluster is known to have the session's slot").into()
}
