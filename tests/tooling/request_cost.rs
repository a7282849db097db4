//! A request costs no more than is recorded: in instructions and in allocations, which do not depend on how busy the machine is.
//!
//! The figures are in `request_cost.txt`, of the release build of `tests/crates/workloads`. Where a change is worth its cost, or has made
//! requests cheaper, write them anew:
//!
//! ```sh
//! REQUEST_COST=renew cargo test --test tooling request_cost
//! ```

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::{env, fs};

use workloads::instructions::{self, HOW_TO_INSTALL};
use workloads::{Subject, Work};

use crate::cargo::cargo;

/// How much more than recorded is still the same, in percent of what the session costs.
const MARGIN: f64 = 3.0;

/// The same, where the compiler is another than the one that the figures are of.
const MARGIN_OF_ANOTHER_COMPILER: f64 = 10.0;

/// Growing a map now and then is a part of an allocation.
const MARGIN_OF_ALLOCATIONS: f64 = 0.1;

/// Random keys of hashes make some runs dearer, so the cheapest of these is taken.
const RUNS: usize = 10;

const SUBJECTS: [Subject; 4] = [Subject::Lazy, Subject::LazyRegistered, Subject::Standard, Subject::StandardRegistered];

/// By what is counted, of which router, for which work; over the router with a layer that does nothing.
type Figures = BTreeMap<(String, String, String), f64>;

#[test]
fn a_request_executes_no_more_instructions_than_recorded() {
    assert!(instructions::can_count(), "{HOW_TO_INSTALL}");
    let percent = if recorded().lines().any(|line| line == compiler()) { MARGIN } else { MARGIN_OF_ANOTHER_COMPILER };
    let limit = |recorded: f64| recorded * (1.0 + percent / 100.0);
    let noop = instructions::count(&program("send-requests"), &[Subject::Noop.name()]).instructions;
    let mut figures = Figures::new();
    for _ in 0..RUNS {
        for subject in SUBJECTS {
            let counts = instructions::count(&program("send-requests"), &[subject.name()]);
            for (work, (count, noop)) in Work::ALL.into_iter().zip(counts.instructions.into_iter().zip(noop)) {
                let least = figures.entry(key("instructions", subject.name(), work.name())).or_insert(f64::INFINITY);
                *least = least.min(count as f64 - noop as f64);
            }
        }
        if !renewing() && grown(&figures, limit).is_empty() {
            return;
        }
    }
    check("instructions", figures, limit);
}

#[test]
fn a_request_allocates_no_more_than_recorded() {
    let output = Command::new(program("count-allocations")).output().expect("it was just built");
    let mut all = Figures::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [subject, work, count, _bytes] = words[..] else { panic!("not a count: {line}") };
        all.insert(key("allocations", subject, work), count.parse().expect("a number"));
    }
    let mut figures = Figures::new();
    for subject in SUBJECTS {
        for work in Work::ALL {
            let of = |subject: Subject| all[&key("allocations", subject.name(), work.name())];
            let over = ((of(subject) - of(Subject::Noop)) * 1e3).round() / 1e3;
            figures.insert(key("allocations", subject.name(), work.name()), over);
        }
    }
    check("allocations", figures, |recorded| recorded + MARGIN_OF_ALLOCATIONS);
}

/// Fails where a figure is above its limit, or records the figures if asked to.
fn check(kind: &str, figures: Figures, limit: impl Fn(f64) -> f64) {
    if renewing() {
        return renew(kind, figures);
    }
    let grown = grown(&figures, limit);
    assert!(
        grown.is_empty(),
        "requests have become dearer:\n{grown}Where that is meant: REQUEST_COST=renew cargo test --test tooling request_cost"
    );
}

/// The figures that are above their limits, one a line.
fn grown(figures: &Figures, limit: impl Fn(f64) -> f64) -> String {
    let before = parse(&recorded());
    let mut grown = String::new();
    for (key, now) in figures {
        let before = *before.get(key).unwrap_or_else(|| panic!("{key:?} is not recorded; see the head of this file"));
        if *now > limit(before) {
            let (kind, subject, work) = key;
            let _ = writeln!(grown, "{subject} {work}: {now} {kind}, {before} recorded, {:.1} at most", limit(before));
        }
    }
    grown
}

fn renewing() -> bool {
    env::var("REQUEST_COST").is_ok_and(|value| value == "renew")
}

/// Writes these figures, and leaves those of the other kind as they are.
fn renew(kind: &str, figures: Figures) {
    static ONE_AT_A_TIME: std::sync::Mutex<()> = std::sync::Mutex::new(());

    let _guard = ONE_AT_A_TIME.lock();
    let mut all = parse(&recorded());
    all.retain(|(other, ..), _| other != kind);
    all.extend(figures);
    let mut text = format!("{}\n", compiler());
    for ((kind, subject, work), figure) in all {
        let _ = writeln!(text, "{kind} {subject} {work} {figure}");
    }
    fs::write(file(), text).expect("the folder of the tests is writable");
}

fn key(kind: &str, subject: &str, work: &str) -> (String, String, String) {
    (kind.to_owned(), subject.to_owned(), work.to_owned())
}

fn parse(text: &str) -> Figures {
    let figures = text.lines().filter_map(|line| {
        let words: Vec<&str> = line.split(' ').collect();
        let [kind, subject, work, figure] = words[..] else { return None };
        Some((key(kind, subject, work), figure.parse().ok()?))
    });
    figures.collect()
}

fn file() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tooling/request_cost.txt")
}

fn recorded() -> String {
    fs::read_to_string(file()).unwrap_or_default()
}

/// The compiler, as the first line of the figures names it.
fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output().expect("there is a compiler");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A program of the release build, which is built if need be.
fn program(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();

    let folder = BUILT.get_or_init(|| {
        let output = cargo()
            .args(["build", "--quiet", "--release", "--package", "workloads", "--bins"])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .expect("there is cargo");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        // This test is in `target/debug/deps`.
        let this = env::current_exe().expect("the path of this program");
        this.ancestors().nth(3).expect("the target folder").join("release")
    });
    folder.join(name)
}
