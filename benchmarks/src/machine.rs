//! What was measured on what: the head of `RESULTS.md`.

use std::fmt::Write as _;
use std::process::Command;
use std::time::Duration;
use std::{fs, thread};

use crate::contender::Contender;
use crate::section::Settings;
use crate::section::memory::available_bytes;

const LOCK: &str = include_str!("../../Cargo.lock");

/// The crates whose versions are told.
const CRATES: [&str; 8] = [
    "axum",
    "tokio",
    "tower-sessions",
    "tower-sessions-moka-store",
    "tower-sessions-redis-store",
    "axum_session",
    "axum_session_redispool",
    "redis",
];

pub fn head(settings: Settings, took: Duration) -> String {
    let quick = if settings.quick { " -- --quick --write" } else { "" };
    let mut text = format!(
        "Written by `cargo run --release -p benchmarks{quick}` in {:.0} minutes; not edited by hand. Compare figures of one run only: \
         everything here was measured interleaved, on one machine.\n\n",
        (took.as_secs_f64() / 60.0).max(1.0)
    );
    let _ = writeln!(
        text,
        "{}, {} threads, {} GB free; {}; Linux {}.\n",
        processor(),
        thread::available_parallelism().map_or(1, usize::from),
        available_bytes() >> 30,
        said(Command::new("rustc").arg("--version")),
        said(Command::new("uname").arg("-r")),
    );
    let versions: Vec<String> = CRATES.iter().map(|name| format!("{name} {}", versions(name).join(" and "))).collect();
    let _ = writeln!(text, "{}.\n", versions.join(", "));
    text.push_str("The contenders, and where they do less or more:\n\n");
    for contender in Contender::ALL {
        let _ = writeln!(text, "- **{contender}**: {}", contender.note());
    }
    let _ = writeln!(
        text,
        "\nThe work: W1 no cookie, and a handler that knows of no session; W2 the same with a session's cookie; W3 a handler that reads \
         the session's data (a `u64`, a `String`, eight `u32`: 105 bytes as JSON); W4 reads them and changes a number; W5 no cookie, \
         and a handler that stores the data; W6 changes a number and gives the session a new id. All are in-process over an axum router resolved with `with_state(())`, \
         unless a section says otherwise, with the system's allocator. The handlers of each are in `benchmarks/src/contender` and \
         `tests/crates/workloads`, written as that library's users write them.\n\nLeft out: actix-session (it has no store in memory, and runs on another framework), pavex_session \
         (its framework cannot be in one build with axum)."
    );
    text
}

fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let name = text.lines().find_map(|line| line.strip_prefix("model name"));
    name.map_or("an unknown processor", |name| name.trim_start_matches([' ', '\t', ':'])).to_owned()
}

fn said(command: &mut Command) -> String {
    let output = command.output().map(|output| String::from_utf8_lossy(&output.stdout).trim().to_owned());
    output.unwrap_or_else(|_| "unknown".to_owned())
}

/// The versions of a crate that this program is built with.
fn versions(name: &str) -> Vec<&'static str> {
    let head = format!("name = \"{name}\"\nversion = \"");
    LOCK.match_indices(&head).filter_map(|(at, _)| LOCK[at + head.len()..].split('"').next()).collect()
}
