//! Requests per second over HTTP, with the sessions in a real engine.

mod load;
mod server;

use std::panic;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use session_runtime::store::{PostgresStore, RedisStore, SqliteStore};
use workloads::{Subject, Work};

use self::load::Load;
use self::server::{Engine, Engines};
use super::{Settings, progress, runtime};
use crate::child::{self, Serving};
use crate::contender::{axum_session_over_redis, tower_sessions_over_redis};
use crate::report::{Must, Report};
use crate::statistics::{Spread, paired};
use crate::table::{Table, trimmed};

/// The argument of a child that serves: `--serve APP URL`. It prints its port.
pub const SERVE: &str = "--serve";

/// How much faster than tower-sessions with its Redis store.
const LIMIT: f64 = 1.5;

const WORKS: [Work; 2] = [Work::Read, Work::Write];

/// The requests, one after the other, whose calls are counted.
const COUNTED: u64 = 200;

struct App {
    name: &'static str,
    engine: Engine,
    note: &'static str,
}

const APPS: [App; 8] = [
    App { name: "bare", engine: Engine::None, note: "no sessions: what HTTP costs" },
    App { name: "lazy, memory", engine: Engine::None, note: "" },
    App { name: "lazy, Redis", engine: Engine::Redis, note: "one connection; a change is compare-and-swap" },
    App {
        name: "tower-sessions, Redis",
        engine: Engine::Redis,
        note: "0.14, the newest its store is made for; a pool of 6 connections, as in its example; a change is SET XX at the end of the request: the last writer wins",
    },
    App {
        name: "axum_session, Redis",
        engine: Engine::Redis,
        note: "reads come from the memory of the process, which may be older than what another process wrote; a change is written at the end of the request: the last writer wins",
    },
    App { name: "lazy, Postgres", engine: Engine::Postgres, note: "the server does not sync (fsync=off)" },
    App {
        name: "tower-sessions, Postgres",
        engine: Engine::Postgres,
        note: "0.14 with its sqlx store, in a build of its own (it needs an older sqlx); a change is an upsert at the end of the request: the last writer wins",
    },
    App { name: "lazy, SQLite", engine: Engine::Sqlite, note: "a file, WAL" },
];

struct Running {
    app: &'static App,
    load: Load,
    _serving: Serving,
}

pub fn run(settings: Settings, report: &mut Report) {
    let engines = match panic::catch_unwind(Engines::start) {
        Ok(engines) => engines,
        Err(_) => return report.section("Real engines", "Not measured: a server is missing. Type: sudo tools/install-servers.sh"),
    };
    let rounds = settings.pick(12, 3);
    let time = Duration::from_millis(settings.pick(1000, 300));
    let runtime = runtime();
    let mut notes = String::new();
    let mut running = Vec::new();
    for app in &APPS {
        progress("engines", format_args!("starting {}", app.name));
        match start(app, &engines).and_then(|serving| Ok((runtime.block_on(Load::on(&serving.said))?, serving))) {
            Ok((load, serving)) => running.push(Running { app, load, _serving: serving }),
            Err(error) => notes.push_str(&format!("{} was not measured: {error}\n", app.name)),
        }
    }
    let mut rates = vec![[const { Vec::new() }; 2]; running.len()];
    for round in 0..rounds {
        progress("engines", format_args!("round {} of {rounds}", round + 1));
        for (running, rates) in running.iter_mut().zip(&mut rates) {
            for (work, rates) in WORKS.into_iter().zip(rates) {
                rates.push(runtime.block_on(running.load.rate(work, time)));
            }
        }
    }
    let calls: Vec<[Option<f64>; 2]> = running
        .iter_mut()
        .map(|running| {
            WORKS.map(|work| {
                engines.calls(running.app.engine, || runtime.block_on(running.load.one_after_the_other(work, COUNTED)), COUNTED)
            })
        })
        .collect();
    write(report, &running, &rates, &calls, &notes);
}

fn write(report: &mut Report, running: &[Running], rates: &[[Vec<f64>; 2]], calls: &[[Option<f64>; 2]], notes: &str) {
    let head = ["", "W3 read, requests/s", "W4 read and write, requests/s", "round trips, W3", "W4", "with"];
    let mut table = Table::new(head);
    for ((running, rates), calls) in running.iter().zip(rates).zip(calls) {
        let rates = rates.each_ref().map(|rates| Spread::of(rates.iter().copied()).text(0));
        let calls = calls.map(|calls| calls.map_or("-".to_owned(), trimmed));
        let cells = [running.app.name.to_owned()].into_iter().chain(rates).chain(calls);
        table.row(cells.chain([running.app.note.to_owned()]));
    }
    let of = |name: &str| running.iter().position(|running| running.app.name == name).map(|index| &rates[index]);
    for (own, peer) in [("lazy, Redis", "tower-sessions, Redis"), ("lazy, Postgres", "tower-sessions, Postgres")] {
        let Some((own_rates, peer_rates)) = of(own).zip(of(peer)) else { continue };
        for (index, work) in WORKS.into_iter().enumerate() {
            let ratio = paired(&own_rates[index], &peer_rates[index], |own, peer| own / peer).median;
            let what = format!("requests/s of {own} over {peer}, {work}");
            report.goal(what, Must::AtLeast, LIMIT, ratio, |ratio| format!("{ratio:.2}"));
        }
    }
    let text = format!(
        "HTTP over the loopback address: each app is a process of its own with a runtime of two threads, the load comes from {} connections of this \
         process, one thread, each with sessions of its own; app, engine and load share the machine. All apps in turn within each round: median and quartiles. Round trips per request are \
         counted by the servers (Redis: `total_reads_processed`; Postgres: `pg_stat_statements`) over {COUNTED} requests one after the \
         other.\n\n{table}{}{notes}",
        load::CONNECTIONS,
        if notes.is_empty() { "" } else { "\n" }
    );
    report.section("Real engines", &text);
}

fn start(app: &App, engines: &Engines) -> Result<Serving, String> {
    let url = engines.url(app.engine);
    if app.name == "tower-sessions, Postgres" {
        return Serving::start(Command::new(build_the_sqlx_peer()?).arg(url));
    }
    Serving::start(Command::new(child::this()).args([SERVE, app.name, &url]))
}

/// The path of the program in `benchmarks/sqlx-peer`, which has a lock file of its own.
fn build_the_sqlx_peer() -> Result<std::path::PathBuf, String> {
    progress("engines", "building the peer with sqlx");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sqlx-peer");
    let build = Command::new(env!("CARGO")).args(["build", "--quiet", "--release"]).current_dir(&folder).output();
    let output = build.map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(folder.join("target/release/sqlx-peer"))
}

/// The child of this section.
pub fn serve(name: &str, url: &str) {
    child::end_with_the_input();
    super::runtime_of(2).block_on(async {
        let app = app(name, url).await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        println!("{}", listener.local_addr().expect("it is bound").port());
        axum::serve(listener, app).await.expect("it serves");
    });
}

async fn app(name: &str, url: &str) -> Router {
    match name {
        "bare" => Subject::Bare.router(),
        "lazy, memory" => Subject::Lazy.router(),
        "lazy, Redis" => Subject::lazy_over(Arc::new(RedisStore::connect(url).await.expect("a server"))),
        "lazy, Postgres" => Subject::lazy_over(Arc::new(PostgresStore::connect(url).await.expect("a server"))),
        "lazy, SQLite" => Subject::lazy_over(Arc::new(SqliteStore::connect(url).await.expect("a file"))),
        "tower-sessions, Redis" => tower_sessions_over_redis(url).await.expect("a server"),
        "axum_session, Redis" => axum_session_over_redis(url).await.expect("a server"),
        _ => panic!("no app is called {name}"),
    }
}
