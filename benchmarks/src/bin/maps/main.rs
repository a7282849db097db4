//! Measures the maps that could keep the sessions of the memory store, and the store that was made.
//!
//! `cargo run --release -p benchmarks --bin maps` prints the tables of `benchmarks/MAPS.md`; it needs valgrind for the
//! instructions. Every figure comes from a process of its own, which is this program with arguments.

mod candidates;

use std::hint::black_box;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use candidates::{CANDIDATES, NAMESPACE, Sessions, now, open};
use session_runtime::SessionId;
use session_runtime::store::{Key, Limits, MemoryStore, NewSession, Origin, Store};

/// The data of the comparison: about 105 bytes as JSON.
pub struct Visit {
    _id: u64,
    _name: String,
    _counts: [u32; 8],
}

impl Visit {
    fn new(number: usize) -> Arc<Self> {
        let number = u32::try_from(number).unwrap_or(u32::MAX);
        Arc::new(Self { _id: number.into(), _name: format!("visitor number {number:08}"), _counts: [number; 8] })
    }
}

const OPERATIONS: [&str; 4] = ["load", "replace", "create", "delete"];

fn main() {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let number = |text: &str| text.parse::<usize>().expect("a number");
    match *arguments {
        [] => tables(),
        ["work", name, operation, count] => work(&*open(name), operation, number(count)),
        ["time", name, threads, sessions, operation] => time(&open(name), number(threads), number(sessions), operation),
        ["memory", name, sessions] => memory(&*open(name), number(sessions)),
        ["growth", name, sessions] => growth(&*open(name), number(sessions)),
        ["sweep", sessions] => sweep(number(sessions)),
        _ => eprintln!("usage: maps"),
    }
}

fn tables() {
    println!(
        "Instructions per operation (callgrind), 1 000 sessions\n\n| map | load | replace | create | delete |\n| --- | --- | --- | --- | --- |"
    );
    for name in CANDIDATES {
        let figures = OPERATIONS.map(|operation| instructions(name, operation));
        println!("| {name} | {} |", figures.join(" | "));
    }

    println!(
        "\nNanoseconds per operation, 100 000 sessions at random\n\n| map | load | load, 2 threads | replace | replace, 2 threads | load of one session, 2 threads |\n| --- | --- | --- | --- | --- | --- |"
    );
    for name in CANDIDATES {
        let one = |threads, sessions, operation| itself(&["time", name, threads, sessions, operation]);
        let figures = [
            one("1", "100000", "load"),
            one("2", "100000", "load"),
            one("1", "100000", "replace"),
            one("2", "100000", "replace"),
            one("2", "1", "load"),
        ];
        println!("| {name} | {} |", figures.join(" | "));
    }

    println!(
        "\nAt 1 000 000 sessions\n\n| map | resident bytes per session | ns per create, mean | 99.999 % | longest |\n| --- | --- | --- | --- | --- |"
    );
    for name in &CANDIDATES[1..] {
        println!("| {name} | {} | {} |", itself(&["memory", name, "1000000"]), itself(&["growth", name, "1000000"]));
    }

    println!(
        "\nThe store by number of sessions\n\n| sessions | load, ns | replace, ns | longest create, ns |\n| --- | --- | --- | --- |"
    );
    for sessions in ["1000", "10000", "100000", "1000000", "10000000"] {
        let load = itself(&["time", "MemoryStore", "1", sessions, "load"]);
        let replace = itself(&["time", "MemoryStore", "1", sessions, "replace"]);
        let growth = itself(&["growth", "MemoryStore", sessions]);
        let longest = growth.rsplit(" | ").next().unwrap_or_default();
        println!("| {sessions} | {load} | {replace} | {longest} |");
    }

    println!("\nReclaiming 1 000 000 expired sessions: {}", itself(&["sweep", "1000000"]));
}

/// What this program prints when it is run with these arguments.
fn itself(arguments: &[&str]) -> String {
    let output = Command::new(env::current_exe().expect("own path")).args(arguments).output().expect("runs itself");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The difference of two counts of operations, by callgrind.
fn instructions(name: &str, operation: &str) -> String {
    let count = |operations: &str| {
        let output = Command::new("valgrind")
            .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
            .arg(env::current_exe().expect("own path"))
            .args(["work", name, operation, operations])
            .output()
            .expect("valgrind");
        let report = String::from_utf8_lossy(&output.stderr);
        let collected = report.lines().find_map(|line| line.split("Collected : ").nth(1)).expect("callgrind's count");
        collected.trim().parse::<u64>().expect("a number")
    };
    ((count("900") - count("100")) / 800).to_string()
}

fn id(number: usize) -> SessionId {
    SessionId::parse(&format!("{number:0100}")).expect("valid")
}

fn key(id: &SessionId) -> Key<'_> {
    Key::new(&NAMESPACE, id)
}

fn fill(sessions: &dyn Sessions, count: usize) {
    for number in 0..count {
        assert!(sessions.create(key(&id(number)), Visit::new(number)));
    }
}

/// A number of operations on 1 000 sessions, and nothing else that depends on the number.
fn work(sessions: &dyn Sessions, operation: &str, count: usize) {
    fill(sessions, 1000);
    let fresh: Vec<_> = (0..1000).map(Visit::new).collect();
    let first = if operation == "create" { 1000 } else { 0 };
    let ids: Vec<_> = (first..first + 1000).map(id).collect();
    for number in 0..count {
        black_box(once(sessions, operation, &ids[number], &fresh[number]));
    }
}

fn once(sessions: &dyn Sessions, operation: &str, id: &SessionId, fresh: &Arc<Visit>) -> bool {
    match operation {
        "load" => sessions.load(key(id)).is_some(),
        "replace" => sessions.replace(key(id), Arc::clone(fresh)),
        "create" => sessions.create(key(id), Arc::clone(fresh)),
        _ => sessions.delete(key(id)),
    }
}

fn time(sessions: &Arc<dyn Sessions>, threads: usize, count: usize, operation: &str) {
    const OPERATIONS: usize = 2_000_000;
    // The ids lie in a pool that fits the cache, as the id of a request does.
    const POOL: usize = 10_000;
    fill(&**sessions, count);
    let workers: Vec<_> = (0..threads)
        .map(|thread| {
            let (sessions, operation) = (Arc::clone(sessions), operation.to_owned());
            thread::spawn(move || {
                let mut random = thread as u64 + 1;
                let fresh = Visit::new(0);
                let mut spent = Duration::ZERO;
                for _ in 0..OPERATIONS / POOL {
                    let ids: Vec<_> = (0..POOL).map(|_| id(next(&mut random) % count)).collect();
                    let start = Instant::now();
                    for id in &ids {
                        black_box(once(&*sessions, &operation, id, &fresh));
                    }
                    spent += start.elapsed();
                }
                spent
            })
        })
        .collect();
    let spent: Duration = workers.into_iter().map(|worker| worker.join().expect("no panic")).sum();
    println!("{}", spent.as_nanos() / (threads * OPERATIONS) as u128);
}

fn next(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    usize::try_from(*state >> 33).expect("31 bits")
}

fn memory(sessions: &dyn Sessions, count: usize) {
    let before = resident();
    fill(sessions, count);
    println!("{}", (resident() - before) / count);
}

/// The resident bytes of this process.
fn resident() -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("VmRSS");
    let kilobytes = line.trim().trim_end_matches(" kB").parse::<usize>().expect("a number");
    kilobytes * 1024
}

fn growth(sessions: &dyn Sessions, count: usize) {
    let mut times: Vec<u64> = (0..count)
        .map(|number| {
            let (id, data) = (id(number), Visit::new(number));
            let start = Instant::now();
            sessions.create(key(&id), data);
            u64::try_from(start.elapsed().as_nanos()).unwrap_or(u64::MAX)
        })
        .collect();
    times.sort_unstable();
    let mean = times.iter().sum::<u64>() / count as u64;
    println!("{mean} | {} | {}", times[count - 1 - count / 100_000], times[count - 1]);
}

/// One runtime thread reclaims what expired, and between its steps reads other sessions; says how long the steps take.
fn sweep(count: usize) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let store = MemoryStore::<Visit>::bounded(2 * count);
    let limit = |idle| Limits::new(idle, None);
    for number in 0..count {
        let session = NewSession::new(Visit::new(number), limit(Duration::from_nanos(1)), Origin::Change);
        assert!(now(Store::create(&store, key(&id(number)), session)).is_ok());
    }
    let kept = id(count);
    let session = NewSession::new(Visit::new(0), limit(Duration::from_secs(3600)), Origin::Change);
    assert!(now(Store::create(&store, key(&kept), session)).is_ok());

    let (mut pauses, start) = (Vec::new(), Instant::now());
    let swept = runtime.block_on(async {
        let sweep = tokio::spawn({
            let store = store.clone();
            async move { store.sweep().await.expect("memory") }
        });
        while !sweep.is_finished() {
            let pause = Instant::now();
            tokio::task::yield_now().await;
            pauses.push(pause.elapsed());
            assert!(now(Store::load(&store, key(&kept))).is_ok());
        }
        sweep.await.expect("no panic")
    });
    let whole = start.elapsed();
    pauses.sort_unstable();
    println!(
        "{swept} sessions in {whole:.0?}, in {} steps; a request on the same thread waits {:.0?} (median), {:.0?} (99.9 %), {:.0?} (longest)",
        pauses.len(),
        pauses[pauses.len() / 2],
        pauses[pauses.len() - 1 - pauses.len() / 1000],
        pauses[pauses.len() - 1]
    );
}
