//! Instructions per request, counted by callgrind.
//!
//! A program counts by running a program, usually itself, under valgrind, with an argument that tells it to send requests and do
//! nothing else. Only what happens within `measured_*` functions is collected, and the collection is written down between two
//! checkpoints, so that neither the start of the program nor its first requests count.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs, process};

use axum::Router;

use crate::client::Client;
use crate::work::Work;

/// The requests before the first checkpoint, and those between the two.
const FIRST: u64 = 500;
const COUNTED: u64 = 1000;

/// How to get valgrind, where it is not there.
pub const HOW_TO_INSTALL: &str =
    "instructions are counted by valgrind, which is not installed. Type: sudo tools/install-valgrind.sh";

pub fn can_count() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Sends requests of each work to routers of its own, as [`count`] needs them.
pub fn send(router: impl Fn() -> Router) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
    let _inside = runtime.enter();
    for work in Work::ALL {
        let mut client = Client::of(router(), 1);
        (0..FIRST).for_each(|_| client.send(work, 0));
        checkpoint();
        (0..COUNTED).for_each(|_| client.send(work, 0));
        checkpoint();
    }
}

/// What was collected is written down before this is called.
#[inline(never)]
fn checkpoint() {
    std::hint::black_box(());
}

/// The instructions of one request of each work, and the files that say where they went.
pub struct Counts {
    pub instructions: [u64; 6],
    folder: PathBuf,
}

/// Runs a program that calls [`send`] when it is given these arguments.
///
/// # Panics
///
/// Where valgrind or the program fails.
pub fn count(program: &Path, arguments: &[&str]) -> Counts {
    let folder = env::temp_dir().join(format!("callgrind-{}-{}", process::id(), arguments.join("-")));
    fs::create_dir_all(&folder).expect("the temporary folder is writable");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--toggle-collect=*measured_*", "--dump-before=*::checkpoint*"])
        .arg(format!("--callgrind-out-file={}", folder.join("out").display()))
        .arg(program)
        .args(arguments)
        .output()
        .expect("valgrind runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut index = 0;
    let instructions = Work::ALL.map(|_| {
        index += 2;
        total(&folder.join(format!("out.{index}"))) / COUNTED
    });
    Counts { instructions, folder }
}

fn total(file: &Path) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let line = text.lines().rev().find_map(|line| line.strip_prefix("totals: ").or_else(|| line.strip_prefix("summary: ")));
    line.and_then(|total| total.trim().parse().ok()).unwrap_or_else(|| panic!("no total in {}", file.display()))
}

impl Counts {
    /// The functions that take the most instructions of one request of this work: their own, without what they call.
    pub fn profile(&self, work: Work, functions: usize) -> Vec<(String, u64)> {
        let index = Work::ALL.iter().position(|other| *other == work).expect("a work");
        let file = self.folder.join(format!("out.{}", 2 * index + 2));
        let output = Command::new("callgrind_annotate").arg("--threshold=100").arg(file).output().expect("valgrind is installed");
        let text = String::from_utf8_lossy(&output.stdout);
        let counts = text.lines().filter_map(function).map(|(name, count)| (name, count / COUNTED));
        // What called the collected functions is listed with all of their count.
        counts.filter(|(_, count)| *count < self.instructions[index]).take(functions).collect()
    }
}

impl Drop for Counts {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Reads `1,234 (5.6%)  file:function [object]`.
fn function(line: &str) -> Option<(String, u64)> {
    let (count, rest) = line.trim_start().split_once(" (")?;
    let count = count.replace(',', "").parse().ok()?;
    let (_, place) = rest.split_once("%)")?;
    let place = place.trim();
    if place == "PROGRAM TOTALS" {
        return None;
    }
    let name = place.split_once(':').map_or(place, |(_, name)| name);
    Some((name.rsplit_once(" [").map_or(name, |(name, _)| name).to_owned(), count))
}
