//! The examples keep their sessions where `SESSION_STORE` says.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Once;
use std::time::Instant;

use crate::app::PATIENCE;
use crate::cargo::cargo;
use crate::engine;
use crate::wire::{Answer, Client};

/// A running example, which is ended when the test is.
pub struct Example {
    process: Child,
    pub address: String,
}

impl Example {
    pub fn run(name: &str, store: &str) -> Self {
        // These tests are built without them.
        static BUILD: Once = Once::new();
        BUILD.call_once(|| {
            let mut build = cargo();
            // Of the same packages as the tests, else the dependencies have other features, and are built once more.
            build.args([
                "build",
                "--quiet",
                "--workspace",
                "--exclude",
                "benchmarks",
                "--example",
                "account",
                "--example",
                "counter",
                "--example",
                "quickstart",
            ]);
            build.args(["--features", "all-stores,tls,session-runtime/tower-sessions"]);
            build.args(if cfg!(debug_assertions) { None } else { Some("--release") });
            assert!(build.status().unwrap().success());
        });
        let folder = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("examples");
        let mut program = Command::new(folder.join(name));
        let mut process = program.env("PORT", "0").env("SESSION_STORE", store).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").expect("it says where it serves").to_owned();
        Self { process, address }
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Sends it until it is done, and how often it may have been done before: the examples have the `store_timeout` that users have, and
/// where a busy machine exceeds that, nobody knows.
async fn send(client: &mut Client, method: &str, path: &str) -> (Answer, u32) {
    let (start, mut unknown) = (Instant::now(), 0);
    loop {
        let answer = client.send(method, path).await.expect("the server answers");
        match answer.status {
            503 => unknown += 1,
            // Nothing was written.
            409 => {}
            _ => return (answer, unknown),
        }
        assert!(start.elapsed() < PATIENCE, "{method} {path}: {}", answer.body);
    }
}

async fn read(client: &mut Client) -> String {
    send(client, "GET", "/").await.0.body
}

const CLIENTS: u32 = 8;
const INCREMENTS: u32 = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_counters_share_their_sessions_and_lose_no_increment_in_every_engine() {
    for engine in engine::all() {
        let counters = [Example::run("counter", &engine.url), Example::run("counter", &engine.url)];
        let mut first = Client::to(&counters[0].address).await;
        assert_eq!(read(&mut first).await, "0", "{engine:?}");
        assert_eq!(send(&mut first, "POST", "/").await.0.body, "1", "{engine:?}");
        let mut tasks = Vec::new();
        for number in 0..CLIENTS {
            let mut client = first.sibling(&counters[number as usize % 2].address).await;
            tasks.push(tokio::spawn(async move {
                let mut unknown = 0;
                for _ in 0..INCREMENTS {
                    let (answer, more) = send(&mut client, "POST", "/").await;
                    assert_eq!(answer.status, 200, "{}", answer.body);
                    unknown += more;
                }
                unknown
            }));
        }
        let mut unknown = 0;
        for task in tasks {
            unknown += task.await.unwrap_or_else(|error| panic!("{engine:?}: {error}"));
        }
        let mut other = first.sibling(&counters[1].address).await;
        let count: u32 = read(&mut other).await.parse().unwrap();
        let acknowledged = 1 + CLIENTS * INCREMENTS;
        assert!((acknowledged..=acknowledged + unknown).contains(&count), "{engine:?}: {acknowledged} + {unknown}, {count}");
        let (answer, unknown) = send(&mut other, "POST", "/logout").await;
        assert!(answer.status == 200 || answer.status == 401 && unknown > 0, "{engine:?}: {}", answer.body);
        assert_eq!(read(&mut first).await, "0", "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quickstart_that_is_started_again_has_its_sessions_still() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("quickstart-{}.db", std::process::id()));
    let store = format!("sqlite://{}", file.display());
    let quickstart = Example::run("quickstart", &store);
    let mut client = Client::to(&quickstart.address).await;
    assert_eq!(read(&mut client).await, r#"{"username":"test_user","age":null}"#);
    assert_eq!(send(&mut client, "POST", "/ada").await.0.body, r#""Updated""#);
    drop(quickstart);
    let quickstart = Example::run("quickstart", &store);
    let mut client = client.sibling(&quickstart.address).await;
    assert_eq!(read(&mut client).await, r#"{"username":"ada","age":null}"#);
    drop(quickstart);
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", file.display()));
    }
}
