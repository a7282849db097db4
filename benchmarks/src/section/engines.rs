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
use super::{Settings, progress, runtime_of};
use crate::child::{self, Serving, work_of};
use crate::contender::{axum_session_over_redis, tower_sessions_over_redis};
use crate::report::{Must, Report};
use crate::statistics::{Spread, paired};
use crate::table::{Table, trimmed};

/// The argument of a child that serves: `--serve APP URL`. It prints its port.
pub const SERVE: &str = "--serve";

/// The threads of an app, and those of the load: of fewer, the cores would wait for it.
const THREADS: usize = 2;

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

const APPS: [App; 9] = [
    App { name: "bare", engine: Engine::None, note: "no sessions: what HTTP costs" },
    App { name: "lazy, memory", engine: Engine::None, note: "what HTTP and this library cost without an engine" },
    App {
        name: "lazy, Redis",
        engine: Engine::Redis,
        note: "a connection for each of its threads; a change is compare-and-swap",
    },
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
    App { name: "lazy, SQLite", engine: Engine::Sqlite, note: "a file; WAL, synced as the store's docs say" },
    App { name: "tower-sessions, SQLite", engine: Engine::Sqlite, note: "as with Postgres; a file with SQLite's defaults" },
];

struct Running {
    app: &'static App,
    load: Load,
    serving: Serving,
    /// By work.
    figures: [Figures; 2],
}

#[derive(Default)]
struct Figures {
    /// Requests per second, by round.
    rates: Vec<f64>,
    requests: f64,
    /// The microseconds that the app, the engine and the load worked for these requests.
    work: [f64; 3],
    round_trips: Option<f64>,
}

pub fn run(settings: Settings, report: &mut Report) {
    let Ok(engines) = panic::catch_unwind(Engines::start) else {
        return report.section("Real engines", "Not measured: a server is missing. Type: sudo tools/install-servers.sh");
    };
    let rounds = settings.pick(12, 3);
    let time = Duration::from_millis(settings.pick(1000, 300));
    let runtime = runtime_of(THREADS);
    let mut notes = String::new();
    let mut running = Vec::new();
    for app in &APPS {
        progress("engines", format_args!("starting {}", app.name));
        match start(app, &engines).and_then(|serving| Ok((runtime.block_on(Load::on(&serving.said))?, serving))) {
            Ok((load, serving)) => running.push(Running { app, load, serving, figures: Default::default() }),
            Err(error) => notes.push_str(&format!("\n{} was not measured: {error}\n", app.name)),
        }
    }
    for round in 0..rounds {
        progress("engines", format_args!("round {} of {rounds}", round + 1));
        for running in &mut running {
            for (work, figures) in WORKS.into_iter().zip(&mut running.figures) {
                let [app, load] = [running.serving.pid(), std::process::id()];
                let worked = || [work_of(app), engines.work(running.app.engine), work_of(load)];
                let before = worked();
                let (sent, took) = runtime.block_on(running.load.send(work, time));
                let after = worked();
                figures.rates.push(sent / took.as_secs_f64());
                figures.requests += sent;
                (0..3).for_each(|index| figures.work[index] += after[index] - before[index]);
            }
        }
    }
    for Running { app, load, figures, .. } in &mut running {
        for (work, figures) in WORKS.into_iter().zip(figures) {
            let send = || runtime.block_on(load.one_after_the_other(work, COUNTED));
            figures.round_trips = engines.calls(app.engine, send, COUNTED);
        }
    }
    write(report, &running, &notes);
}

fn write(report: &mut Report, running: &[Running], notes: &str) {
    let mut tables = String::new();
    for (index, work) in WORKS.into_iter().enumerate() {
        let head = format!("{work} {}", work.meaning());
        let mut table = Table::new([&head, "requests/s", "µs of work a request, app", "engine", "load", "round trips"]);
        for Running { app, figures, .. } in running {
            let figures = &figures[index];
            let work = figures.work.map(|work| format!("{:.1}", work / figures.requests));
            let [of_app, of_engine, of_load] = work;
            let of_engine = if matches!(app.engine, Engine::None | Engine::Sqlite) { "-".to_owned() } else { of_engine };
            let rate = Spread::of(figures.rates.iter().copied()).text(0);
            let round_trips = figures.round_trips.map_or("-".to_owned(), trimmed);
            table.row([app.name.to_owned(), rate, of_app, of_engine, of_load, round_trips]);
        }
        tables.push_str(&format!("{table}\n"));
    }
    let of = |name: &str| running.iter().find(|running| running.app.name == name);
    for (own, peer) in [("lazy, Redis", "tower-sessions, Redis"), ("lazy, Postgres", "tower-sessions, Postgres")] {
        let Some((own_running, peer_running)) = of(own).zip(of(peer)) else { continue };
        for (index, work) in WORKS.into_iter().enumerate() {
            let rates = |running: &Running| running.figures[index].rates.clone();
            let ratio = paired(&rates(own_running), &rates(peer_running), |own, peer| own / peer).median;
            let what = format!("requests/s of {own} over {peer}, {work}");
            report.goal(what, Must::AtLeast, LIMIT, ratio, |ratio| format!("{ratio:.2}"));
        }
    }
    let with: Vec<String> = running.iter().map(|running| format!("- {}: {}", running.app.name, running.app.note)).collect();
    let text = format!(
        "HTTP over the loopback address: each app is a process of its own with a runtime of {THREADS} threads, the load comes from {} connections of this \
         process, {THREADS} threads, each with sessions of its own; app, engine and load share the machine. All apps in turn within each \
         round: median and quartiles. Work is the processor time of the processes: where they use all of the machine, requests per second go by its sum, the load's own share included. Round trips are \
         counted by the servers (Redis: `total_reads_processed`; Postgres: statements in `pg_stat_statements`) over {COUNTED} requests one after the \
         other.\n\n{tables}{}\n\nWhere the requests per second over Redis are less above the peer's than the work is below it, the cores are idle in \
         between: calls that are ready together leave together, so the clients move in step. What is left of the work, and what was tried, is \
         in `CONTRIBUTING.md`, \"What a request to Redis costs\".\n{notes}",
        load::CONNECTIONS,
        with.join("\n")
    );
    report.section("Real engines", &text);
}

fn start(app: &App, engines: &Engines) -> Result<Serving, String> {
    let url = engines.url(app.engine, app.name);
    if matches!(app.name, "tower-sessions, Postgres" | "tower-sessions, SQLite") {
        return Serving::start(Command::new(build_the_sqlx_peer()?).arg(url));
    }
    Serving::start(Command::new(child::this()).args([SERVE, app.name, &url]))
}

/// The path of the program in `benchmarks/sqlx-peer`, which has a lock file of its own.
fn build_the_sqlx_peer() -> Result<std::path::PathBuf, String> {
    progress("engines", "building the peer with sqlx");
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("sqlx-peer");
    let build = child::cargo().args(["build", "--quiet", "--release"]).current_dir(&folder).output();
    let output = build.map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(folder.join("target/release/sqlx-peer"))
}

/// The child of this section.
pub fn serve(name: &str, url: &str) {
    child::end_with_the_input();
    runtime_of(THREADS).block_on(async {
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
