//! A disk that takes its time to sync, under a SQLite file that processes share.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::app::{Process, STORE_TIMEOUT};
use crate::engine;
use crate::servers;
use crate::wire::Client;

/// How long the disk takes to sync, as a hard disk or a busy cloud volume does.
const SYNC: Duration = Duration::from_millis(10);

const SOURCE: &str = r"
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <unistd.h>
int fsync(int file) { usleep(MICROS); return syscall(SYS_fsync, file); }
int fdatasync(int file) { usleep(MICROS); return syscall(SYS_fdatasync, file); }
";

/// A library that makes a program's disk slow, by `LD_PRELOAD`.
fn slow_disk(folder: &Path) -> PathBuf {
    let (source, library) = (folder.join("slow_disk.c"), folder.join("slow_disk.so"));
    std::fs::write(&source, SOURCE).unwrap();
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", &format!("-DMICROS={}", SYNC.as_micros()), "-o"]).args([&library, &source]);
    assert!(compiler.status().unwrap().success());
    library
}

const CLIENTS: usize = 8;
const INCREMENTS: usize = 50;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_processes_take_turns_with_a_file_on_a_slow_disk() {
    take_turns::<2>().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn four_processes_take_turns_with_a_file_on_a_slow_disk() {
    take_turns::<4>().await;
}

/// The processes change one session whenever they can, and no change waits for so many others that it would take more than
/// [`STORE_TIMEOUT`], with two syncs for each. How long it does take depends on the machine as well.
async fn take_turns<const PROCESSES: usize>() {
    let at_most = STORE_TIMEOUT.as_millis() / (2 * SYNC).as_millis();
    let folder = servers::temporary_folder("slow");
    let library = slow_disk(&folder);
    let url = engine::sqlite().url;
    let processes = [(); PROCESSES].map(|()| Process::start_with(&url, [("LD_PRELOAD", &*library)]));
    let mut first = Client::to(&processes[0].address).await;
    assert_eq!(first.post("/name/counted").await.status, 200);
    let start = Instant::now();
    let mut tasks = Vec::new();
    for number in 0..CLIENTS {
        let mut client = first.sibling(&processes[number % PROCESSES].address).await;
        tasks.push(tokio::spawn(async move {
            let (mut last, mut most, mut longest) = (0, 0, Duration::ZERO);
            for _ in 0..INCREMENTS {
                let asked = Instant::now();
                let answer = client.post("/add").await;
                assert_eq!(answer.status, 200, "{}", answer.body);
                longest = longest.max(asked.elapsed());
                let count: u128 = answer.body.parse().unwrap();
                most = most.max(count - last - 1);
                last = count;
            }
            (most, longest)
        }));
    }
    let (mut most, mut longest) = (0, Duration::ZERO);
    for task in tasks {
        let waited = task.await.unwrap();
        (most, longest) = (most.max(waited.0), longest.max(waited.1));
    }
    let count = CLIENTS * INCREMENTS;
    println!(
        "{count} increments by {PROCESSES} processes in {:.1?}; one waited for {most} others, one for {longest:.2?}",
        start.elapsed()
    );
    assert!(most <= at_most, "a change waited for {most} others");
    assert_eq!(first.get("/").await.body, count.to_string());
    drop(processes);
    std::fs::remove_dir_all(folder).unwrap();
}
