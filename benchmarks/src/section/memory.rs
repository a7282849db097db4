//! Resident bytes per stored session.

use std::fs;

use workloads::Work;
use workloads::client::{end, measured_call, request};

use super::{Settings, progress};
use crate::child;
use crate::contender::{Contender, LAZY, STANDARD};
use crate::report::{Must, Report};
use crate::table::{Table, thousands};

/// What a session of this library may take.
const LIMIT: f64 = 320.0;

/// The argument of the child that fills a store: `--resident CONTENDER SESSIONS`.
pub const RESIDENT: &str = "--resident";

const CONTENDERS: [Contender; 5] =
    [LAZY, STANDARD, Contender::TowerSessions, Contender::TowerSessionsMoka, Contender::AxumSession];

pub fn run(settings: Settings, report: &mut Report) {
    let sessions: u64 = settings.pick(1_000_000, 100_000);
    let mut table = Table::new(["", "resident bytes per session"]);
    for contender in CONTENDERS {
        progress("memory", contender);
        let bytes: u64 = child::output(&[RESIDENT, contender.name(), &sessions.to_string()]).parse().expect("a number");
        table.row([contender.name().to_owned(), thousands(bytes)]);
        if contender == LAZY {
            let what = format!("resident bytes per session at {}", thousands(sessions));
            report.goal(what, Must::AtMost, LIMIT, bytes as f64, |bytes| thousands(bytes as u64));
        }
    }
    let text = format!(
        "{} new sessions (W5), each contender in a process of its own: the growth of its resident memory, divided by the sessions. The \
         data takes about 105 bytes as JSON.\n\n{table}",
        thousands(sessions)
    );
    report.section("Memory", &text);
}

/// The child of this section: prints the resident bytes per session.
pub fn resident(contender: Contender, sessions: u64) {
    let runtime = super::runtime();
    let _inside = runtime.enter();
    let mut app = contender.router();
    for _ in 0..100 {
        end(measured_call(&mut app, request(Work::Read.path(), None)));
    }
    let before = resident_bytes();
    for _ in 0..sessions {
        end(measured_call(&mut app, request(Work::New.path(), None)));
    }
    println!("{}", (resident_bytes() - before) / sessions);
}

fn resident_bytes() -> u64 {
    kilobytes("/proc/self/status", "VmRSS:").expect("Linux tells the resident memory") * 1024
}

/// The memory that programs could still get, where that is known.
pub fn available_bytes() -> u64 {
    kilobytes("/proc/meminfo", "MemAvailable:").map_or(4 << 30, |kilobytes| kilobytes * 1024)
}

fn kilobytes(file: &str, name: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().trim_end_matches(" kB").parse().ok()
}
