//! The way to the server, or to a cluster's.

use std::future::Future;
use std::slice;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::future::join_all;
use redis::{Cmd, Value};

use super::cluster::{Cluster, Primary};
use super::health::store_error;
use super::probe::Probe;
use super::queue::{Answer, Ask};
use super::scripts::{By, Lists, Replacement};
use super::server::Server;
use super::target::Target;
use super::verdict::Failed;
use crate::store::StoreError;

/// Connections that all calls share.
#[derive(Clone)]
pub(super) struct Link {
    pub(super) way: Way,
    max_bulk: Arc<AtomicU64>,
}

#[derive(Clone)]
pub(super) enum Way {
    Single(Arc<Server>),
    Cluster(Arc<Cluster>),
}

impl Link {
    pub(super) async fn to(target: Target) -> Result<Self, StoreError> {
        match target {
            Target::Single(endpoint) => {
                let max_bulk = endpoint.max_bulk();
                let server = Server::new(*endpoint);
                server.connect().await.map_err(|failed| store_error(&failed))?;
                Ok(Self { way: Way::Single(Arc::new(server)), max_bulk })
            }
            Target::Cluster { nodes, common, probe } => {
                let (max_bulk, user) = (Arc::clone(&common.max_bulk), common.settings.username().unwrap_or("default").to_owned());
                let (cluster, primaries) = Cluster::connect(nodes, common).await.map_err(|failed| store_error(&failed))?;
                if let Some(limit) = probe_cluster(&cluster, &primaries, &probe, &user).await? {
                    max_bulk.store(limit, Ordering::Relaxed);
                }
                Ok(Self { way: Way::Cluster(Arc::new(cluster)), max_bulk })
            }
        }
    }

    pub(super) const fn is_cluster(&self) -> bool {
        matches!(self.way, Way::Cluster(_))
    }

    pub(super) const fn lists(&self) -> Lists {
        if self.is_cluster() { Lists::Elsewhere } else { Lists::Here }
    }

    /// Refuses data that the server would not take: it ends the connection by which that comes.
    pub(super) fn check_size(&self, size: usize) -> Result<(), StoreError> {
        let limit = self.max_bulk.load(Ordering::Relaxed);
        if size as u64 <= limit {
            return Ok(());
        }
        Err(StoreError::data(format!(
            "the session's data is too large for the Redis server: {size} bytes, where it takes {limit} (`proto-max-bulk-len`)"
        )))
    }

    /// Runs a script once. Where the answer is lost, so is the knowledge whether it ran.
    pub(super) async fn once(&self, call: impl Fn(By) -> Cmd + Sync) -> Result<Value, StoreError> {
        self.run(&call, false).await.map_err(|failed| store_error(&failed))
    }

    /// Runs a script that may run twice.
    pub(super) async fn repeatable(&self, call: impl Fn(By) -> Cmd + Sync) -> Result<Value, StoreError> {
        self.run(&call, true).await.map_err(|failed| store_error(&failed))
    }

    /// Runs a script by its hash, or sends it where the server does not know it; it does from then on.
    pub(super) async fn run(&self, call: &(impl Fn(By) -> Cmd + Sync), may_run_twice: bool) -> Result<Value, Failed> {
        match self.send(|| call(By::Hash), may_run_twice).await {
            Err(failed) if failed.is_of_an_unknown_script() => Box::pin(self.send(|| call(By::Source), may_run_twice)).await,
            result => result,
        }
    }

    /// Replaces a session, once. One command of a server may do that for many calls.
    pub(super) async fn change(&self, change: Replacement) -> Result<Value, StoreError> {
        let alone = |by| Replacement::command(by, slice::from_ref(&change), self.lists());
        let answer = match &self.way {
            Way::Single(server) => match server.ask(|| Ask::Change(change.clone()), false).await {
                Ok(answer) => return Ok(answer.value),
                Err(failed) if failed.is_of_an_unknown_script() => Box::pin(self.send(|| alone(By::Source), false)).await,
                Err(failed) => Err(failed),
            },
            Way::Cluster(_) => Box::pin(self.run(&alone, false)).await,
        };
        match answer.map_err(|failed| store_error(&failed))? {
            Value::Array(mut answers) if answers.len() == 1 => {
                answers.remove(0).extract_error().map_err(|error| store_error(&Failed::from(error)))
            }
            other => Ok(other),
        }
    }

    async fn send(&self, command: impl Fn() -> Cmd, may_run_twice: bool) -> Result<Value, Failed> {
        match &self.way {
            Way::Single(server) => {
                let Answer { value, .. } = server.ask(|| Ask::Alone(command()), may_run_twice).await?;
                Ok(value)
            }
            Way::Cluster(cluster) => Box::pin(cluster.send(command, may_run_twice)).await,
        }
    }

    /// Waits for what goes on without its caller. Where that gives up, the nodes of a cluster are looked at, as they are for a call that is given up.
    pub(super) async fn watched<R>(&self, step: impl Future<Output = R>) -> R {
        match &self.way {
            Way::Single(_) => step.await,
            Way::Cluster(cluster) => cluster.watched(step).await,
        }
    }

    pub(super) async fn close(&self) {
        match &self.way {
            Way::Single(server) => server.close().await,
            Way::Cluster(cluster) => cluster.close().await,
        }
    }
}

/// What is read of a server alone.
pub(super) async fn read(server: &Server, ask: impl Fn() -> Ask + Sync) -> Result<Answer, StoreError> {
    server.ask(ask, true).await.map_err(|failed| store_error(&failed))
}

/// The longest value that all take, where they tell; or why one of them cannot be used. One that is away keeps nobody from the others.
async fn probe_cluster(cluster: &Cluster, primaries: &[Primary], probe: &Probe, user: &str) -> Result<Option<u64>, StoreError> {
    let probed = join_all(primaries.iter().map(|primary| probe_primary(cluster, primary, probe, user))).await;
    let (mut limit, mut away, mut is_there) = (None, None, false);
    for probed in probed {
        match probed {
            // Its sessions are on others.
            Ok(None) => {}
            Ok(Some(found)) => {
                is_there = true;
                limit = limit.into_iter().chain(found?).min();
            }
            Err(failed) => away = Some(failed),
        }
    }
    match away {
        _ if is_there => Ok(limit),
        Some(failed) => Err(store_error(&failed)),
        None => {
            Err(StoreError::unavailable("none of the cluster's primaries that answer may have a key with the store's prefix"))
        }
    }
}

/// What a primary says; or why it says nothing.
async fn probe_primary(
    cluster: &Cluster,
    primary: &Primary,
    probe: &Probe,
    user: &str,
) -> Result<Option<Result<Option<u64>, StoreError>>, Failed> {
    // By its prefix, no key may ever be on this node.
    let Some((slot, probe)) = probe.on(|slot| primary.has(slot)) else { return Ok(None) };
    let mut answers = Vec::new();
    for command in probe.all() {
        answers.push(match cluster.send_to(slot, || command.clone(), true).await {
            Ok(answer) => answer,
            // It is its cluster that does not serve now, or not as it did.
            Err(failed) if failed.elsewhere().is_some() => return Err(failed),
            Err(failed) => match failed.error.clone().try_into() {
                Ok(said) => Value::ServerError(said),
                Err(_) => return Err(failed),
            },
        });
    }
    Ok(Some(probe.read(answers, &primary.name, user).map_err(|refusal| StoreError::unavailable(refusal.0))))
}
