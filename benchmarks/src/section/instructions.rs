//! Instructions per request.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::Mutex;
use std::thread;

use workloads::Work;
use workloads::instructions::{self, Counts};

use super::{Settings, progress};
use crate::child;
use crate::contender::{BARE, Contender, HAND_OVER, LAZY, NOOP, STANDARD};
use crate::report::{Must, Report};
use crate::table::{Table, thousands, work_heads};

/// What the lazy middleware must not exceed, by work; the standard one may half as much again.
const LIMITS: [u64; 6] = [1200, 1500, 2400, 3500, 3300, 4000];

/// The functions in a profile.
const FUNCTIONS: usize = 12;

/// The argument by which a child is told to send requests and do nothing else.
pub const SEND: &str = "--send";

/// The child of this section.
pub fn send(contender: Contender) {
    instructions::send(|| contender.router());
}

pub fn run(_settings: Settings, report: &mut Report) {
    if !instructions::can_count() {
        report.section("Instructions", instructions::HOW_TO_INSTALL);
        return;
    }
    let counts = count_all();
    let base = counts[&NOOP].instructions;
    let over = |contender: Contender| {
        let base = if matches!(contender, BARE | NOOP) { [0; 6] } else { base };
        std::array::from_fn::<u64, 6, _>(|work| counts[&contender].instructions[work].saturating_sub(base[work]))
    };
    let mut table = Table::new(work_heads("over `noop`"));
    for contender in Contender::ALL {
        table.row([contender.name().to_owned()].into_iter().chain(over(contender).map(thousands)));
    }
    let (lazy, standard) = (over(LAZY), over(STANDARD));
    let best = best_of(&Contender::PEERS.map(over));
    table.row(["the best peer, as a multiple of lazy".to_owned()].into_iter().chain(multiples(&best, &lazy)));

    let mut text = format!(
        "Counted by callgrind between the call of the router and the end of the response's body, over 1 000 requests after the first \
         500, one session, one thread; `bare` and `noop` as they are, the others over `noop`. It counts what is executed, not how \
         long that takes.\n\n{table}"
    );
    for (index, work) in Work::ALL.into_iter().enumerate() {
        let [limit, lazy, standard] = [LIMITS[index], lazy[index], standard[index]].map(|count| count as f64);
        let goal = |name: &str| format!("instructions, {name} {work}");
        report.goal(goal("lazy"), Must::AtMost, limit, lazy, number);
        report.goal(
            format!("instructions, standard {work}{}", standard_does_more(work)),
            Must::AtMost,
            limit * 1.5,
            standard,
            number,
        );
        report.goal(goal("a tenth of the best peer, lazy"), Must::AtMost, best[index] as f64 / 10.0, lazy, number);
    }
    let _ = write!(text, "\n{}", why(&lazy, &over(HAND_OVER)));
    for (index, work) in Work::ALL.into_iter().enumerate().filter(|(index, _)| lazy[*index] > LIMITS[*index]) {
        let _ = write!(text, "\n{}", profile(&counts[&LAZY], work, lazy[index]));
    }
    report.section("Instructions", &text);
}

/// What is left of the limits once axum has had its part, beside what the session takes.
fn why(lazy: &[u64; 6], hand_over: &[u64; 6]) -> String {
    let mut table = Table::new(work_heads(""));
    let mut row = |what: &str, figure: &dyn Fn(usize) -> u64| {
        table.row([what.to_owned()].into_iter().chain(std::array::from_fn::<_, 6, _>(|work| thousands(figure(work)))));
    };
    row("the limit", &|work| LIMITS[work]);
    row("of it goes to axum (`hand-over`)", &|work| hand_over[work]);
    row("which leaves for the session", &|work| LIMITS[work].saturating_sub(hand_over[work]));
    row("and it takes", &|work| lazy[work].saturating_sub(hand_over[work]));
    format!(
        "Why lazy exceeds some of its limits: `hand-over` does what no library of sessions for axum can do without, and what the limit \
         leaves beside it is for the cookie, the id, its hash, the clock, the store, the data's allocations and the `Set-Cookie`. What was \
         tried to lower each is in `CONTRIBUTING.md`, \"What a request costs\". For the same reason a tenth of the best peer is out of reach: \
         `hand-over` alone is more, in all but the dearest work.\n\n{table}"
    )
}

fn profile(counts: &Counts, work: Work, over: u64) -> String {
    let mut table = Table::new(["function, without what it calls", "instructions per request"]);
    for (name, count) in counts.profile(work, FUNCTIONS) {
        table.row([format!("`{name}`"), thousands(count)]);
    }
    let over = thousands(over);
    format!("Where lazy's go in {work}, which exceeds its limit with {over} (the router's own are among them):\n\n{table}")
}

fn number(count: f64) -> String {
    thousands(count.round() as u64)
}

/// What the standard middleware does beyond the lazy one.
pub const fn standard_does_more(work: Work) -> &'static str {
    match work {
        Work::NoCookie => ", which creates a session",
        Work::Untouched => ", which looks the session up",
        Work::New => ", which creates the session before the handler changes it",
        Work::Read | Work::Write | Work::Rotate => "",
    }
}

/// The least of each work.
pub fn best_of<N: PartialOrd + Copy>(peers: &[[N; 6]]) -> [N; 6] {
    std::array::from_fn(|work| {
        let least = |best: N, peer: &[N; 6]| if peer[work] < best { peer[work] } else { best };
        peers.iter().fold(peers[0][work], least)
    })
}

fn multiples(best: &[u64; 6], own: &[u64; 6]) -> [String; 6] {
    std::array::from_fn(|work| format!("{:.1}", best[work] as f64 / (own[work] as f64).max(1.0)))
}

/// Two valgrinds at a time.
fn count_all() -> HashMap<Contender, Counts> {
    let waiting = Mutex::new(Contender::ALL.to_vec());
    let counts = Mutex::new(HashMap::new());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                loop {
                    let Some(contender) = waiting.lock().expect("no panic").pop() else { return };
                    progress("instructions", contender);
                    let count = instructions::count(&child::this(), &[SEND, contender.name()]);
                    counts.lock().expect("no panic").insert(contender, count);
                }
            });
        }
    });
    counts.into_inner().expect("no panic")
}
