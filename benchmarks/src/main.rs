//! Runs the comparison: see `--help`.

mod child;
mod machine;
mod plot;
mod report;
mod section;
#[path = "../../tests/support/servers.rs"]
mod servers;
mod statistics;
mod table;

use std::env;
use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use benchmarks::contender;
use report::Report;
use section::{Section, Settings};

const HELP: &str = "\
Compares session-runtime with the published peers, prints the tables, and writes benchmarks/RESULTS.md and its plots.

    cargo run --release -p benchmarks [-- [--quick] [--write] [SECTION..]]

With no argument everything is measured and RESULTS.md is written.
--quick   measures less, within two minutes, and prints only.
SECTION   measures these sections, and prints only.
--write   writes RESULTS.md of what was measured, also for --quick or for some sections.

Sections:";

fn main() -> ExitCode {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    if be_a_child(&arguments) {
        return ExitCode::SUCCESS;
    }
    let (options, names): (Vec<&str>, Vec<&str>) = arguments.iter().partition(|argument| argument.starts_with("--"));
    let known = |name: &&str| section::ALL.iter().any(|section| section.name == *name);
    if !options.iter().all(|option| ["--quick", "--write"].contains(option)) || !names.iter().all(known) {
        let sections = section::ALL.map(|section| section.name);
        println!("{HELP} {}", sections.join(", "));
        return ExitCode::from(2);
    }
    let settings = Settings { quick: options.contains(&"--quick") };
    let chosen = |section: &&Section| {
        if names.is_empty() { section.quick || !settings.quick } else { names.contains(&section.name) }
    };
    let mut report = Report::default();
    let start = Instant::now();
    for section in section::ALL.iter().filter(chosen) {
        (section.run)(settings, &mut report);
    }
    report.print_goals();
    eprintln!("measured in {:.0?}", start.elapsed());
    if options.contains(&"--write") || arguments.is_empty() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
        report.write(folder, &machine::head(settings, start.elapsed())).expect("the folder of the benchmarks is writable");
        eprintln!("written to benchmarks/RESULTS.md");
    }
    ExitCode::SUCCESS
}

/// Where this program was run by itself, does what a section wants of its child.
fn be_a_child(arguments: &[&str]) -> bool {
    use section::{engines, instructions, memory, sessions};

    let contender = |name: &str| name.parse().expect("a contender");
    let number = |text: &str| text.parse::<usize>().expect("a number");
    match arguments {
        [instructions::SEND, name] => instructions::send(contender(name)),
        [memory::RESIDENT, name, count] => memory::resident(contender(name), number(count) as u64),
        [sessions::SESSIONS, name, rounds, sizes @ ..] => {
            let sizes: Vec<usize> = sizes.iter().map(|size| number(size)).collect();
            sessions::measure(contender(name), number(rounds), &sizes);
        }
        [engines::SERVE, name, url] => engines::serve(name, url),
        _ => return false,
    }
    true
}
