//! Instructions per request, counted by callgrind as the difference between two numbers of requests.

use std::env;
use std::process::Command;

use crate::client::Client;
use crate::contender::Contender;
use crate::work::Work;

/// The argument by which a program of this package, run by [`count`], is told to send requests and do nothing else.
const SEND: &str = "--send";

const FEW: u64 = 500;
const MANY: u64 = 1500;

/// How to get valgrind, where it is not there.
pub const HOW_TO_INSTALL: &str =
    "instructions are counted by valgrind, which is not here: apt-get install valgrind, or brew install valgrind";

pub fn can_count() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// The instructions of one request, counted within the functions that call the router and end the response.
///
/// The program that calls this must have called [`send_if_asked`] before all else.
pub fn count(contender: Contender, work: Work) -> u64 {
    let [few, many] = [FEW, MANY].map(|requests| collected(contender, work, requests));
    (many - few) / (MANY - FEW)
}

fn collected(contender: Contender, work: Work, requests: u64) -> u64 {
    let this = env::current_exe().expect("the path of this program");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null", "--toggle-collect=*measured_*"])
        .arg(this)
        .args([SEND, contender.name(), work.name(), &requests.to_string()])
        .output()
        .expect("valgrind runs");
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    let line = log.lines().find_map(|line| line.split_once("Collected :")).unwrap_or_else(|| panic!("no count in {log}"));
    line.1.trim().parse().unwrap_or_else(|_| panic!("no number in {log}"))
}

/// Where this program was run by [`count`], sends the requests and ends it.
pub fn send_if_asked() {
    let arguments: Vec<String> = env::args().collect();
    let [_, send, contender, work, requests] = &arguments[..] else { return };
    if send != SEND {
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let _inside = runtime.enter();
    let mut client = Client::of(contender.parse().expect("a contender"), work.parse().expect("a work"));
    for _ in 0..requests.parse().expect("a number of requests") {
        client.send();
    }
    std::process::exit(0);
}
