//! The parts of the run, each of which measures one thing and writes one section of the report.

pub mod allocations;
pub mod build;
pub mod contended;
pub mod engines;
pub mod instructions;
pub mod memory;
pub mod reclaim;
pub mod sessions;
pub mod threads;
pub mod time;

use crate::report::Report;

/// How much is measured.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// As little as shows that it works.
    pub quick: bool,
}

impl Settings {
    /// One value for the whole run, and one for the quick.
    pub const fn pick<T: Copy>(self, whole: T, quick: T) -> T {
        if self.quick { quick } else { whole }
    }
}

/// A part of the run.
pub struct Section {
    pub name: &'static str,
    pub run: fn(Settings, &mut Report),
    /// Whether the quick run has it.
    pub quick: bool,
}

pub const ALL: [Section; 10] = [
    Section { name: "instructions", run: instructions::run, quick: true },
    Section { name: "allocations", run: allocations::run, quick: true },
    Section { name: "time", run: time::run, quick: true },
    Section { name: "memory", run: memory::run, quick: true },
    Section { name: "threads", run: threads::run, quick: true },
    Section { name: "sessions", run: sessions::run, quick: true },
    Section { name: "contended", run: contended::run, quick: true },
    Section { name: "reclaim", run: reclaim::run, quick: true },
    Section { name: "engines", run: engines::run, quick: true },
    Section { name: "build", run: build::run, quick: false },
];

/// Shown while it runs.
pub fn progress(section: &str, text: impl std::fmt::Display) {
    eprintln!("{section}: {text}");
}

/// A runtime of this thread, for routers that need one.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A runtime of so many threads.
pub fn runtime_of(threads: usize) -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build().expect("a runtime")
}
