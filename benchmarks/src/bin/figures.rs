//! Prints the instructions and allocations of one request, over the same router with a layer that does nothing.
//!
//! ```sh
//! cargo run --release -p benchmarks --bin figures
//! ```

use std::collections::HashMap;
use std::env;
use std::process::Command;
use std::thread;

use benchmarks::contender::Contender;
use benchmarks::instructions::{self, HOW_TO_INSTALL};
use benchmarks::table::{Table, thousands};
use benchmarks::work::Work;

/// What the lazy middleware must not exceed: instructions and allocations, by work.
const LIMITS: [(u64, u64); 6] = [(1200, 4), (1500, 4), (2400, 5), (3500, 7), (3300, 9), (4000, 9)];

type Counts<N> = HashMap<(Contender, Work), N>;

fn main() {
    instructions::send_if_asked();
    let allocations = allocations();
    let instructions = instructions::can_count().then(instructions);
    if instructions.is_none() {
        println!("{HOW_TO_INSTALL}");
    }
    let head = Work::ALL.map(|work| format!("{work} {}", work.meaning()));
    let mut table = Table::new([String::new()].into_iter().chain(head));
    table.row(["at most".to_owned()].into_iter().chain(LIMITS.map(|(most, count)| format!("{} / {count}", thousands(most)))));
    for contender in Contender::ALL {
        let cells = Work::ALL.map(|work| {
            let instructions = instructions.as_ref().map_or("?".to_owned(), |counts| over(counts, contender, work));
            format!("{instructions} / {}", allocations_over(&allocations, contender, work))
        });
        table.row([contender.name().to_owned()].into_iter().chain(cells));
    }
    println!("instructions / allocations per request; `bare` and `noop` as they are, the others over `noop`\n\n{table}");
}

fn is_a_base(contender: Contender) -> bool {
    matches!(contender, Contender::Bare | Contender::Noop)
}

fn over(counts: &Counts<u64>, contender: Contender, work: Work) -> String {
    let count = counts[&(contender, work)];
    thousands(if is_a_base(contender) { count } else { count.saturating_sub(counts[&(Contender::Noop, work)]) })
}

fn allocations_over(counts: &Counts<f64>, contender: Contender, work: Work) -> String {
    let count = counts[&(contender, work)];
    let over = if is_a_base(contender) { count } else { count - counts[&(Contender::Noop, work)] };
    let text = format!("{over:.2}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// Two valgrinds at a time.
fn instructions() -> Counts<u64> {
    let all: Vec<_> = Contender::ALL.into_iter().flat_map(|contender| Work::ALL.map(|work| (contender, work))).collect();
    let (one, other) = all.split_at(all.len() / 2);
    let count = |part: &[(Contender, Work)]| -> Vec<_> {
        part.iter().map(|&(contender, work)| ((contender, work), instructions::count(contender, work))).collect()
    };
    thread::scope(|scope| {
        let other = scope.spawn(|| count(other));
        count(one).into_iter().chain(other.join().expect("no panic")).collect()
    })
}

fn allocations() -> Counts<f64> {
    let output = Command::new(env!("CARGO"))
        .args(["run", "--quiet", "--release", "-p", "benchmarks", "--bin", "allocations"])
        .output()
        .expect("cargo runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let lines = String::from_utf8(output.stdout).expect("text");
    lines.lines().filter_map(allocations_of).collect()
}

fn allocations_of(line: &str) -> Option<((Contender, Work), f64)> {
    let mut words = line.split(' ');
    let at = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
    Some((at, words.next()?.parse().ok()?))
}
