//! What a steady load sees of a Redis that fails.

use std::time::{Duration, Instant};

use crate::app::until;
use crate::detour::Detour;
use crate::redis_as_run::{info, redis_server, tell};
use crate::servers::Server;
use crate::under_load::under_load;

/// A primary, its replica, and an address that leads to the first.
async fn pair() -> (Server, Server, Detour) {
    let (old, new) = (redis_server(&[]).await, redis_server(&["--repl-diskless-sync-delay", "0"]).await);
    tell(&new, &format!("REPLICAOF 127.0.0.1 {}", old.port())).await;
    until("they replicate", async || info(&new, "replication", "master_link_status").await == "up").await;
    let detour = Detour::to(old.port()).await;
    (old, new, detour)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failover_behind_one_address() {
    let (old, new, detour) = pair().await;
    under_load("failover, the address follows after 1 s", &detour.url(), async {
        // It lets the replica catch up first, so that no acknowledged change is lost.
        tell(&old, &format!("FAILOVER TO 127.0.0.1 {}", new.port())).await;
        until("the replica takes over", async || info(&new, "replication", "role").await == "master").await;
        tokio::time::sleep(Duration::from_secs(1)).await;
        detour.move_to(new.port());
        Instant::now()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_that_are_killed() {
    let server = redis_server(&[]).await;
    under_load("all connections killed, five times", server.url(), async {
        for _ in 0..5 {
            tell(&server, "CLIENT KILL TYPE normal SKIPME yes").await;
            tokio::time::sleep(Duration::from_millis(300)).await;
        }
        Instant::now()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_started_again() {
    let mut server = redis_server(&["--appendonly", "yes", "--appendfsync", "always"]).await;
    let url = server.url().to_owned();
    under_load("server stopped and started again", &url, async {
        tokio::task::block_in_place(|| {
            server.stop();
            std::thread::sleep(Duration::from_secs(1));
            server.start_again();
        });
        Instant::now()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_firewall_that_forgets() {
    let server = redis_server(&[]).await;
    let detour = Detour::to(server.port()).await;
    under_load("firewall forgets all connections", &detour.url(), async {
        detour.forget();
        Instant::now()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stands_still() {
    let server = redis_server(&[]).await;
    under_load("server stands still for 3 s", server.url(), async {
        server.signal("STOP");
        tokio::time::sleep(Duration::from_secs(3)).await;
        server.signal("CONT");
        Instant::now()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_memory_that_is_full() {
    let server = redis_server(&[]).await;
    under_load("memory full for 2 s (`noeviction`)", server.url(), async {
        tell(&server, "CONFIG SET maxmemory 1").await;
        tokio::time::sleep(Duration::from_secs(2)).await;
        tell(&server, "CONFIG SET maxmemory 0").await;
        Instant::now()
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn scripts_that_are_flushed() {
    let server = redis_server(&[]).await;
    under_load("scripts flushed, five times", server.url(), async {
        for _ in 0..5 {
            tell(&server, "SCRIPT FLUSH").await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        Instant::now()
    })
    .await;
}
