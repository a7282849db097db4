//! The laws across processes that share an engine.

use std::time::Instant;

use crate::app::Process;
use crate::engine::{self, Engine};
use crate::wire::Client;

const CLIENTS: usize = 32;
const INCREMENTS: usize = 4_000;
const SHARE: usize = INCREMENTS / CLIENTS;
const _: () = assert!(SHARE * CLIENTS == INCREMENTS);

pub async fn none_is_lost(engine: Engine) {
    let processes = [Process::start(&engine.url), Process::start(&engine.url)];
    let mut first = Client::to(&processes[0].address).await;
    assert_eq!(first.get("/").await.body, "0");
    first.post("/rotate").await;
    assert_eq!(first.post("/name/counted").await.status, 200, "{engine:?}");
    let start = Instant::now();
    let mut tasks = Vec::new();
    for number in 0..CLIENTS {
        let mut client = first.sibling(&processes[number % 2].address).await;
        tasks.push(tokio::spawn(async move {
            let mut conflicts = 0;
            for _ in 0..SHARE {
                loop {
                    let answer = client.post("/add").await;
                    match answer.status {
                        200 => break,
                        // Nothing was written: the others were first for as long as the store may take.
                        409 => conflicts += 1,
                        status => panic!("{status}: {}", answer.body),
                    }
                }
            }
            conflicts
        }));
    }
    let mut conflicts = 0;
    for task in tasks {
        conflicts += task.await.unwrap();
    }
    let time = start.elapsed();
    assert_eq!(first.get("/").await.body, INCREMENTS.to_string(), "{engine:?}");
    println!("{engine:?}: {INCREMENTS} increments by {CLIENTS} clients in {time:.1?}, {conflicts} answered 409");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_four_thousand_increments_over_two_processes_none_is_lost_in_redis() {
    none_is_lost(engine::redis()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_four_thousand_increments_over_two_processes_none_is_lost_in_a_redis_cluster() {
    none_is_lost(engine::redis_cluster()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_four_thousand_increments_over_two_processes_none_is_lost_in_sqlite() {
    none_is_lost(engine::sqlite()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_four_thousand_increments_over_two_processes_none_is_lost_in_postgres() {
    none_is_lost(engine::postgres()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_four_thousand_increments_over_two_processes_none_is_lost_in_mariadb() {
    none_is_lost(engine::mariadb()).await;
}

const LOGOUTS: usize = 200;
const AT_ONCE: usize = 20;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_logout_that_races_slow_writers_in_another_process_leaves_no_session() {
    for engine in engine::all() {
        let (here, there) = (Process::start(&engine.url), Process::start(&engine.url));
        let start = Instant::now();
        let mut tasks = Vec::new();
        for _ in 0..AT_ONCE {
            let (here, there) = (here.address.clone(), there.address.clone());
            tasks.push(tokio::spawn(async move {
                let mut lost_races = 0;
                for round in 0..LOGOUTS / AT_ONCE {
                    lost_races += usize::from(!race(&here, &there, round).await);
                }
                lost_races
            }));
        }
        let mut lost_races = 0;
        for task in tasks {
            lost_races += task.await.unwrap();
        }
        let time = start.elapsed();
        println!("{engine:?}: {LOGOUTS} logouts against writers in {time:.1?}, in {lost_races} of them the writer came too late");
    }
}

/// Logs out while another process writes; whether the writer came first. Either way the session must be gone.
async fn race(here: &str, there: &str, round: usize) -> bool {
    let mut user = Client::to(here).await;
    user.post("/name/ada").await;
    let mut writer = user.sibling(there).await;
    let mut witness = user.sibling(there).await;
    let slow = format!("/slow/{}", round % 4);
    let (logout, written) = tokio::join!(user.post("/logout"), writer.post(&slow));
    assert_eq!(logout.status, 200, "{}", logout.body);
    let read = witness.get("/").await;
    assert_eq!((read.status, read.body.as_str()), (200, "0"), "the session is back");
    written.status == 200
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_processes_that_start_at_once_on_an_empty_database_all_come_up() {
    for engine in engine::all() {
        let starting: Vec<_> = (0..10)
            .map(|_| {
                let url = engine.url.clone();
                tokio::task::spawn_blocking(move || Process::start(&url))
            })
            .collect();
        let mut user: Option<Client> = None;
        for process in starting {
            let process = process.await.unwrap();
            let mut client = match &user {
                Some(user) => user.sibling(&process.address).await,
                None => Client::to(&process.address).await,
            };
            assert_eq!(client.post("/add").await.status, 200, "{engine:?}");
            user = Some(client);
        }
    }
}
