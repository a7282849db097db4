//! A cluster: which node has which slot, and a server for each node.

use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

use futures_util::future::{BoxFuture, join_all};
use futures_util::stream::FuturesUnordered;
use futures_util::{FutureExt, StreamExt};
use redis::{Cmd, RedisError, Value, cmd};
use tokio::runtime::Handle;
use tokio::sync::oneshot;
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

/// An answer by which a call would come to the node again that has just failed it waits so long for another one.
const READ_ON: Duration = Duration::from_millis(250);

/// How long after a look the next one begins at the earliest.
const LOOK_PAUSE: Duration = Duration::from_millis(50);

/// After so long another look is made beside one that hangs.
const NEXT_LOOK: Duration = Duration::from_secs(5);

/// How long a look may take; with a connection that is made for it.
const LOOK_TIMEOUT: Duration = Duration::from_secs(15);

/// Calls that are given up have the topology looked at so often.
const GIVEN_UP_PAUSE: Duration = Duration::from_secs(1);

pub(super) struct Cluster(Arc<Shared>);

/// A primary that was connected to.
pub(super) struct Primary {
    pub(super) name: String,
    slots: Vec<(u16, u16)>,
}

impl Primary {
    pub(super) fn has(&self, slot: u16) -> bool {
        self.slots.iter().any(|(first, last)| (*first..=*last).contains(&slot))
    }
}

struct Shared {
    seeds: Vec<Address>,
    common: Common,
    nodes: Mutex<HashMap<Address, Arc<Server>>>,
    map: RwLock<Arc<Map>>,
    looks: Mutex<Looks>,
    is_closed: AtomicBool,
}

#[derive(Default)]
struct Looks {
    /// Counts those that were begun.
    begun: u64,
    under_way: Option<Look>,
    /// When the last one was over.
    over: Option<Instant>,
    /// When one was last begun for a call that was given up.
    for_given_up: Option<Instant>,
}

/// A look at who has which slot, which all calls share that need one.
struct Look {
    since: Instant,
    doubts: Doubts,
    result: Looking,
}

type Looking = futures_util::future::Shared<BoxFuture<'static, Result<(), Failed>>>;

/// Who has just failed the calls on these slots.
#[derive(Clone, Default)]
struct Doubts(Arc<Mutex<Vec<Doubt>>>);

struct Doubt {
    slot: u16,
    server: Arc<Server>,
}

impl Doubts {
    fn add(&self, doubt: Option<Doubt>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(doubt);
    }

    fn are_about(&self, map: &Map) -> bool {
        let doubts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        doubts.iter().any(|doubt| map.primary(doubt.slot).is_some_and(|server| Arc::ptr_eq(server, &doubt.server)))
    }
}

/// A look under way: whoever needs one from its end on makes another, also where it ends with its runtime.
struct UnderWay {
    shared: Arc<Shared>,
    number: u64,
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut looks = self.shared.looks();
        if looks.begun == self.number {
            looks.under_way = None;
            looks.over = Some(Instant::now());
        }
    }
}

/// Who has which slot.
#[derive(Default)]
struct Map {
    /// The look by which it was found.
    number: u64,
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
    /// Connects to the primaries; one that is away keeps nobody from the others.
    pub(super) async fn connect(seeds: Vec<Address>, common: Common) -> Result<(Self, Vec<Primary>), Failed> {
        let (nodes, map, looks, is_closed) = (Mutex::default(), RwLock::default(), Mutex::default(), AtomicBool::new(false));
        let shared = Arc::new(Shared { seeds, common, nodes, map, looks, is_closed });
        shared.look(None).await?;
        let map = shared.map();
        let mut primaries: Vec<_> = map.ranges.iter().map(|(.., server)| server).collect();
        primaries.sort_by_key(|server| Arc::as_ptr(server));
        primaries.dedup_by_key(|server| Arc::as_ptr(server));
        let (mut connected, mut failed) = (Vec::new(), None);
        for (server, result) in join_all(primaries.into_iter().map(async |server| (server, server.connect().await))).await {
            match result {
                Ok(()) => {
                    let of_this = map.ranges.iter().filter(|(.., primary)| Arc::ptr_eq(primary, server));
                    let slots = of_this.map(|(first, last, _)| (*first, *last)).collect();
                    connected.push(Primary { name: server.name(), slots });
                }
                Err(error) => failed = Some(error),
            }
        }
        match failed {
            Some(failed) if connected.is_empty() => Err(failed),
            _ => Ok((Self(shared), connected)),
        }
    }

    pub(super) async fn send(&self, command: impl Fn() -> Cmd, may_run_twice: bool) -> Result<Value, Failed> {
        self.send_to(slot_of(&command()), command, may_run_twice).await
    }

    /// Sends what has no key to the node that has a slot.
    pub(super) async fn send_to(&self, slot: u16, command: impl Fn() -> Cmd, may_run_twice: bool) -> Result<Value, Failed> {
        self.watched(self.0.send(slot, &command, may_run_twice)).await
    }

    /// Where the caller gives up what it waits for, the nodes are looked at.
    pub(super) async fn watched<R>(&self, call: impl Future<Output = R>) -> R {
        let given_up = GivenUp(Some(&self.0));
        let result = call.await;
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
    async fn send(
        self: &Arc<Self>,
        slot: u16,
        command: &(impl Fn() -> Cmd + Sized),
        may_run_twice: bool,
    ) -> Result<Value, Failed> {
        let mut is_asking = false;
        let mut server = match self.map().primary(slot) {
            Some(server) => Arc::clone(server),
            None => self.primary_anew(slot, None).await?,
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
                    (server, is_asking) = (self.primary_anew(slot, Some(server)).await?, false);
                }
                // Its node is gone, or the connection to it. It was tried twice already; another node may have the slot by now.
                None if failed.is_of_the_connection() && failed.verdict.is_harmless(may_run_twice) => {
                    let next = self.primary_anew(slot, Some(Arc::clone(&server))).await?;
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
        self.node(&Address::Tcp(host.trim_matches(['[', ']']).to_owned(), port))
    }

    /// Who has the slot, when somebody has been asked, since this server has failed.
    async fn primary_anew(self: &Arc<Self>, slot: u16, failed: Option<Arc<Server>>) -> Result<Arc<Server>, Failed> {
        self.look(failed.map(|server| Doubt { slot, server })).await?;
        self.map().primary(slot).map(Arc::clone).ok_or_else(|| Failed::unreachable(unknown()))
    }

    fn looks(&self) -> std::sync::MutexGuard<'_, Looks> {
        self.looks.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who has which slot: what the look finds that is under way, or a new one.
    async fn look(self: &Arc<Self>, doubt: Option<Doubt>) -> Result<(), Failed> {
        // Its runtime may be one that nobody drives any more.
        timeout(LOOK_TIMEOUT, self.looking(doubt)).await.unwrap_or_else(|_| Err(Failed::unreachable(unknown())))
    }

    /// It is made in a task of its own: who gives up leaves it to the others.
    fn looking(self: &Arc<Self>, doubt: Option<Doubt>) -> Looking {
        let mut looks = self.looks();
        if let Some(look) = &looks.under_way
            && look.since.elapsed() < NEXT_LOOK
        {
            look.doubts.add(doubt);
            return look.result.clone();
        }
        looks.begun += 1;
        let (number, doubts) = (looks.begun, Doubts::default());
        doubts.add(doubt);
        let pause = looks.over.map_or(Duration::ZERO, |over| LOOK_PAUSE.saturating_sub(over.elapsed()));
        let (result, told) = oneshot::channel();
        let told = told.map(|told| told.unwrap_or_else(|_| Err(Failed::unreachable(unknown())))).boxed().shared();
        looks.under_way = Some(Look { since: Instant::now(), doubts: doubts.clone(), result: told.clone() });
        drop(looks);
        let under_way = UnderWay { shared: Arc::clone(self), number };
        tokio::spawn(async move {
            sleep(pause).await;
            let found = under_way.shared.find(number, &doubts).await;
            drop(under_way);
            let _ = result.send(found);
        });
        told
    }

    async fn find(&self, number: u64, doubts: &Doubts) -> Result<(), Failed> {
        let mut found = self.topology(doubts).await?;
        found.number = number;
        let mut map = self.map.write().unwrap_or_else(PoisonError::into_inner);
        // One that was begun later may be over already.
        if map.number < number {
            self.forget_others(&found);
            *map = Arc::new(found);
        }
        Ok(())
    }

    fn look_soon(self: &Arc<Self>) {
        let Ok(runtime) = Handle::try_current() else { return };
        let mut looks = self.looks();
        if looks.for_given_up.is_some_and(|last| last.elapsed() < GIVEN_UP_PAUSE) || self.is_closed.load(Ordering::Acquire) {
            return;
        }
        looks.for_given_up = Some(Instant::now());
        drop(looks);
        let shared = Arc::clone(self);
        runtime.spawn(async move {
            // Who needs it asks again.
            let _ = shared.look(None).await;
        });
    }

    /// From the first that answers: the primaries that are known, else whoever else is. An answer by which calls would come to who has just failed them
    /// counts if nobody says otherwise: a node may not have heard of a failover yet.
    async fn topology(&self, doubts: &Doubts) -> Result<Map, Failed> {
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
            let mut doubted: Option<(Map, Instant)> = None;
            loop {
                let wait = doubted.as_ref().map_or(wait, |(_, since)| READ_ON.saturating_sub(since.elapsed()));
                let Ok(Some((address, answer))) = timeout(wait, answers.next()).await else { break };
                match answer.and_then(|answer| self.read(answer.value, address)) {
                    Ok(map) if doubts.are_about(&map) => doubted = doubted.or(Some((map, Instant::now()))),
                    Ok(map) => return Ok(map),
                    Err(failed) => last = failed,
                }
            }
            if let Some((map, _)) = doubted {
                return Ok(map);
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

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::super::tests::{answer, common, listen, ok};
    use super::*;

    fn slots(ranges: &[(u16, u16, SocketAddr)]) -> String {
        let range = |(first, last, at): &(u16, u16, SocketAddr)| {
            format!("*3\r\n:{first}\r\n:{last}\r\n*2\r\n$9\r\n127.0.0.1\r\n:{}\r\n", at.port())
        };
        format!("*{}\r\n{}", ranges.len(), ranges.iter().map(range).collect::<String>())
    }

    #[tokio::test]
    async fn a_look_that_is_late_forgets_no_node_of_a_newer_map() {
        let said = Arc::new(Mutex::new(String::new()));
        let to_say = Arc::clone(&said);
        let one = listen(move |stream, _| {
            let said = Arc::clone(&to_say);
            async move {
                let reply = |name: &str| match name {
                    "CLUSTER" => Some((said.lock().unwrap().clone(), Duration::ZERO)),
                    _ => ok(),
                };
                drop(answer(stream, reply).await);
            }
        })
        .await;
        let other = listen(async |stream, _| drop(answer(stream, |_| ok()).await)).await;
        let seed = Address::Tcp(one.ip().to_string(), one.port());
        let (nodes, map, looks, is_closed) = (Mutex::default(), RwLock::default(), Mutex::default(), AtomicBool::new(false));
        let shared = Shared { seeds: vec![seed], common: common(), nodes, map, looks, is_closed };
        *said.lock().unwrap() = slots(&[(0, 8191, one), (8192, SLOTS - 1, other)]);
        shared.find(2, &Doubts::default()).await.unwrap();
        *said.lock().unwrap() = slots(&[(0, SLOTS - 1, one)]);
        shared.find(1, &Doubts::default()).await.unwrap();
        let of_map = Arc::clone(shared.map().primary(SLOTS - 1).unwrap());
        let known = shared.node(&Address::Tcp(other.ip().to_string(), other.port())).unwrap();
        assert!(Arc::ptr_eq(&of_map, &known), "calls on its slots would have other connections than those that closing ends");
    }
}
