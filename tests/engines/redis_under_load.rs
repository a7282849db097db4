//! A steady load of some 200 requests a second (reads, changes, logins, logouts) on Redis, and a fault: no acknowledged change is lost, none is
//! done twice, no session comes back, and 503 ends when the server can answer again. What it prints is in the table of the page "Choosing an
//! engine".

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::app::{STORE_TIMEOUT, connect, serve_within, until};
use crate::detour::Detour;
use crate::redis_as_run::{Undisturbed, info, redis_server, tell};
use crate::servers::Server;
use crate::wire::Client;

const CLIENTS: usize = 10;

/// Between the requests of one client.
const PACE: Duration = Duration::from_millis(50);

/// How long after the fault is over 503 may go on, by [`Undisturbed`].
const BEYOND: Duration = Duration::from_secs(3);

#[derive(Default)]
struct Course {
    stop: AtomicBool,
    /// When each 503 was answered.
    refused: Mutex<Vec<Instant>>,
}

#[derive(Default)]
struct Seen {
    requests: u64,
    refused: u64,
    ended: Vec<String>,
}

/// What a client knows of its session: what was acknowledged, and what may have been made.
async fn load(address: String, course: Arc<Course>) -> Seen {
    let mut client = Client::to(&address).await;
    let (mut seen, mut known, mut perhaps) = (Seen::default(), 0_u64, 0_u64);
    for turn in 0.. {
        if course.stop.load(Ordering::SeqCst) {
            return seen;
        }
        tokio::time::sleep(PACE).await;
        let (method, path) = match turn % 10 {
            3 => ("POST", "/rotate"),
            9 => ("POST", "/logout"),
            0 | 1 | 4 | 6 => ("POST", "/add"),
            _ => ("GET", "/"),
        };
        let before = client.cookie.clone();
        let (method, path) = if before.is_none() { ("POST", "/add") } else { (method, path) };
        let answer = client.send(method, path).await.expect("an answer");
        seen.requests += 1;
        if answer.status == 503 {
            seen.refused += 1;
            course.refused.lock().unwrap().push(Instant::now());
            match path {
                "/add" => perhaps += 1,
                // Whether it has another id, or none, is not known.
                "/rotate" | "/logout" => {
                    (client.cookie, known, perhaps) = (None, 0, 0);
                }
                _ => {}
            }
            continue;
        }
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        match path {
            "/add" | "/" => {
                let count: u64 = answer.body.parse().unwrap();
                let least = known + u64::from(path == "/add");
                assert!((least..=least + perhaps).contains(&count), "{path}: {count}, {known} acknowledged, {perhaps} perhaps");
                if path == "/add" {
                    (known, perhaps) = (count, 0);
                }
            }
            "/logout" => {
                seen.ended.extend(before);
                (client.cookie, known, perhaps) = (None, 0, 0);
            }
            _ => seen.ended.extend(before.filter(|before| client.cookie.as_ref() != Some(before))),
        }
    }
    seen
}

/// Runs the load while `fault` happens, which tells when the server could answer again.
async fn under_load(name: &str, url: &str, fault: impl Future<Output = Instant>) {
    let address = serve_within(STORE_TIMEOUT, connect(url).await).await;
    let course = Arc::new(Course::default());
    let clients: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(load(address.clone(), Arc::clone(&course)))).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(course.refused.lock().unwrap().len(), 0, "{name}: nothing is refused before");
    let begun = Instant::now();
    let over = fault.await;
    let since = Undisturbed::start();
    while since.elapsed() < BEYOND {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let last = course.refused.lock().unwrap().iter().max().copied();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    course.stop.store(true, Ordering::SeqCst);
    let mut all = Seen::default();
    for client in clients {
        let seen = client.await.unwrap();
        all.requests += seen.requests;
        all.refused += seen.refused;
        all.ended.extend(seen.ended);
    }
    assert_eq!(course.refused.lock().unwrap().iter().max().copied(), last, "{name}: 503 more than {BEYOND:?} after it");
    for cookie in all.ended.drain(..) {
        let mut late = Client::to(&address).await;
        late.cookie = Some(cookie);
        assert_eq!(late.get("/").await.body, "0", "{name}: no session is back");
    }
    let beyond = last.map(|last| last.saturating_duration_since(over));
    println!(
        "| {name} | {} | {} | {:.1?} | {} |",
        all.requests,
        all.refused,
        over.saturating_duration_since(begun),
        beyond.map_or_else(|| "-".to_owned(), |beyond| format!("{beyond:.1?}"))
    );
}

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
