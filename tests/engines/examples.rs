//! The examples keep their sessions where `SESSION_STORE` says.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Once;

use crate::engine;
use crate::wire::Client;

/// A running example, which is ended when the test is.
struct Example {
    process: Child,
    address: String,
}

impl Example {
    fn run(name: &str, store: &str) -> Self {
        // These tests are built without them.
        static BUILD: Once = Once::new();
        BUILD.call_once(|| {
            let mut build = Command::new(env!("CARGO"));
            build.args(["build", "--quiet", "--examples", "--features", "all-stores,tls,session-runtime/tower-sessions"]);
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

const CLIENTS: u32 = 8;
const INCREMENTS: u32 = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_counters_share_their_sessions_and_lose_no_increment_in_every_engine() {
    for engine in engine::all() {
        let counters = [Example::run("counter", &engine.url), Example::run("counter", &engine.url)];
        let mut first = Client::to(&counters[0].address).await;
        assert_eq!(first.get("/").await.body, "0", "{engine:?}");
        assert_eq!(first.post("/").await.body, "1", "{engine:?}");
        let mut tasks = Vec::new();
        for number in 0..CLIENTS {
            let mut client = first.sibling(&counters[number as usize % 2].address).await;
            tasks.push(tokio::spawn(async move {
                for _ in 0..INCREMENTS {
                    let answer = client.post("/").await;
                    assert_eq!(answer.status, 200, "{}", answer.body);
                }
            }));
        }
        for task in tasks {
            task.await.unwrap_or_else(|error| panic!("{engine:?}: {error}"));
        }
        let mut other = first.sibling(&counters[1].address).await;
        assert_eq!(other.get("/").await.body, (1 + CLIENTS * INCREMENTS).to_string(), "{engine:?}");
        assert_eq!(other.post("/logout").await.status, 200, "{engine:?}");
        assert_eq!(first.get("/").await.body, "0", "{engine:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quickstart_that_is_started_again_has_its_sessions_still() {
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("quickstart-{}.db", std::process::id()));
    let store = format!("sqlite://{}", file.display());
    let quickstart = Example::run("quickstart", &store);
    let mut client = Client::to(&quickstart.address).await;
    assert_eq!(client.get("/").await.body, r#"{"username":"test_user","age":null}"#);
    assert_eq!(client.post("/ada").await.body, r#""Updated""#);
    drop(quickstart);
    let quickstart = Example::run("quickstart", &store);
    let mut client = client.sibling(&quickstart.address).await;
    assert_eq!(client.get("/").await.body, r#"{"username":"ada","age":null}"#);
    drop(quickstart);
    for end in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{end}", file.display()));
    }
}
