//! Allocations per request and their bytes.

use std::collections::HashMap;

use workloads::Work;

use super::instructions::{best_of, standard_does_more};
use super::{Settings, progress};
use crate::child;
use crate::contender::{BARE, Contender, LAZY, NOOP, STANDARD};
use crate::report::{Must, Report};
use crate::table::{Table, thousands, trimmed, work_heads};

/// What the lazy middleware must not exceed, by work; the standard one may half as much again.
const LIMITS: [f64; 6] = [4.0, 4.0, 5.0, 7.0, 9.0, 9.0];

type Counts = HashMap<Contender, [[f64; 6]; 2]>;

pub fn run(_settings: Settings, report: &mut Report) {
    let counts = match count_all() {
        Ok(counts) => counts,
        Err(error) => return report.section("Allocations", &format!("Not counted: {error}")),
    };
    let over = |contender: Contender, kind: usize| -> [f64; 6] {
        let base = if matches!(contender, BARE | NOOP) { [0.0; 6] } else { counts[&NOOP][kind] };
        std::array::from_fn(|work| counts[&contender][kind][work] - base[work])
    };
    let mut table = Table::new(work_heads("over `noop`"));
    for contender in Contender::ALL {
        let (count, bytes) = (over(contender, 0), over(contender, 1));
        let cells = Work::ALL.iter().enumerate();
        let cells =
            cells.map(|(work, _)| format!("{} / {}", trimmed(count[work]), thousands(bytes[work].max(0.0).round() as u64)));
        table.row([contender.name().to_owned()].into_iter().chain(cells));
    }
    let best = best_of(&Contender::PEERS.map(|peer| over(peer, 0)));
    for (index, work) in Work::ALL.into_iter().enumerate() {
        let (lazy, standard) = (over(LAZY, 0)[index], over(STANDARD, 0)[index]);
        let goal = |name: &str| format!("allocations, {name} {work}");
        report.goal(goal("lazy"), Must::AtMost, LIMITS[index], lazy, trimmed);
        report.goal(
            format!("allocations, standard {work}{}", standard_does_more(work)),
            Must::AtMost,
            LIMITS[index] * 1.5,
            standard,
            trimmed,
        );
        report.goal(goal("a tenth of the best peer, lazy"), Must::AtMost, best[index] / 10.0, lazy, trimmed);
    }
    let text = format!(
        "Allocations / bytes allocated for one request, by an allocator that counts, over 1 000 requests after as many; growing an \
         allocation counts as one. `bare` and `noop` as they are, the others over `noop`.\n\n{table}"
    );
    report.section("Allocations", &text);
}

/// Another program, since the allocator that counts would slow this one down.
fn count_all() -> Result<Counts, String> {
    progress("allocations", "building the program that counts them");
    let output = child::cargo()
        .args(["run", "--quiet", "--release", "--package", "benchmarks", "--bin", "peer-allocations"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .map_err(|error| error.to_string())?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let mut counts = Counts::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let [contender, work, count, bytes] = words[..] else { return Err(format!("not a count: {line}")) };
        let (contender, work): (Contender, Work) = (contender.parse()?, work.parse()?);
        let index = Work::ALL.iter().position(|other| *other == work).expect("a work");
        let figures = counts.entry(contender).or_default();
        figures[0][index] = count.parse().map_err(|_| line.to_owned())?;
        figures[1][index] = bytes.parse().map_err(|_| line.to_owned())?;
    }
    Ok(counts)
}
