//! Time per request by the number of sessions.

use std::collections::BTreeMap;

use http::HeaderValue;
use workloads::client::{end, measured_call, pair_of, request, session_cookie};
use workloads::{Client, Work};

use super::memory::available_bytes;
use super::{Settings, progress};
use crate::child;
use crate::contender::{Contender, LAZY, NOOP, STANDARD};
use crate::plot::Plot;
use crate::report::{Must, Report};
use crate::section::time::one_round;
use crate::statistics::{Random, Spread};
use crate::table::{Table, thousands};

/// The argument of the child: `--sessions CONTENDER ROUNDS SIZE..`.
pub const SESSIONS: &str = "--sessions";

const WORKS: [Work; 2] = [Work::Read, Work::Write];
const SIZES: [usize; 5] = [1_000, 10_000, 100_000, 1_000_000, 10_000_000];

/// As many as a store has room for, whichever its size, so that the sizes differ in nothing else.
const MOST_SESSIONS: usize = 20_000_000;

/// The sessions of a size that are sent requests, at most.
const VISITED: usize = 1_000_000;

/// The requests of a round, to sessions at random.
const REQUESTS: usize = 200;

/// What a session takes at most, cookies of the client included, to know in time which sizes the memory has room for.
const BYTES: u64 = 700;
const BYTES_OF_A_PEER: u64 = 2600;

/// How much slower the greatest size may be than the least.
const LIMIT: f64 = 1.5;

const CONTENDERS: [Contender; 6] =
    [NOOP, LAZY, STANDARD, Contender::TowerSessions, Contender::TowerSessionsMoka, Contender::AxumSession];

/// Nanoseconds per request, by work and size.
type Times = BTreeMap<(usize, usize), Spread>;

pub fn run(settings: Settings, report: &mut Report) {
    let sizes = settings.pick(&SIZES[..], &SIZES[..3]);
    let rounds = settings.pick(400, 60);
    let mut left_out = String::new();
    let mut all = Vec::new();
    for contender in CONTENDERS {
        let bytes = if contender.is_a_peer() { BYTES_OF_A_PEER } else { BYTES };
        let room = available_bytes() * 7 / 10;
        let fitting: Vec<usize> = sizes.iter().copied().filter(|size| bytes * *size as u64 <= room).collect();
        if contender.has_sessions() && fitting.len() < sizes.len() {
            left_out.push_str(&format!(
                "{contender} was stopped at {} sessions: more do not fit the memory of this machine ({} GB free).\n",
                thousands(fitting.last().copied().unwrap_or_default() as u64),
                available_bytes() >> 30
            ));
        }
        progress("sessions", contender);
        let sizes = if contender.has_sessions() { fitting } else { vec![sizes[0]] };
        all.push((contender, measure_in_a_child(contender, rounds, &sizes)));
    }
    write(report, sizes, &left_out, &all);
}

fn measure_in_a_child(contender: Contender, rounds: usize, sizes: &[usize]) -> Times {
    let mut arguments = vec![SESSIONS.to_owned(), contender.name().to_owned(), rounds.to_string()];
    arguments.extend(sizes.iter().map(usize::to_string));
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let mut times = Times::new();
    for line in child::output(&arguments).lines() {
        let figures: Vec<f64> = line.split(' ').map(|figure| figure.parse().expect("a number")).collect();
        let [work, size, low, median, high] = figures[..] else { panic!("not figures: {line}") };
        times.insert((work as usize, size as usize), Spread { low, median, high });
    }
    times
}

/// The child of this section.
pub fn measure(contender: Contender, rounds: usize, sizes: &[usize]) {
    let runtime = super::runtime();
    let _inside = runtime.enter();
    let mut filled: Vec<_> = sizes.iter().map(|&size| (size, fill(contender, size))).collect();
    let mut random = Random::new(1);
    for (work, kind) in WORKS.into_iter().enumerate() {
        let mut times: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
        for round in 0..rounds + rounds / 10 {
            for (size, client) in &mut filled {
                let sessions: Vec<usize> = (0..REQUESTS).map(|_| random.below(client.cookies().len())).collect();
                let time = one_round(client, kind, sessions);
                if round >= rounds / 10 {
                    times.entry(*size).or_default().push(time);
                }
            }
        }
        for (size, times) in times {
            let Spread { low, median, high } = Spread::of(times);
            println!("{work} {size} {low} {median} {high}");
        }
    }
}

fn fill(contender: Contender, size: usize) -> Client {
    let mut app = contender.router_for(MOST_SESSIONS);
    let every = size.div_ceil(VISITED);
    let mut cookies: Vec<HeaderValue> = Vec::with_capacity(size / every);
    for session in 0..size {
        let response = measured_call(&mut app, request(Work::New.path(), None));
        if session % every == 0 {
            cookies.push(session_cookie(&response).map_or(HeaderValue::from_static("a=b"), pair_of));
        }
        end(response);
    }
    Client::with_cookies(app, cookies)
}

fn write(report: &mut Report, sizes: &[usize], left_out: &str, all: &[(Contender, Times)]) {
    let mut text = format!(
        "One thread; {REQUESTS} requests a round to sessions at random (of at most {} that are visited), each contender in a process of \
         its own that holds stores of all the sizes, in turn: nanoseconds per request, the router's own included; median and quartiles. \
         `noop` has no sessions, and so one figure. No step of a request depends on how many sessions there are: what grows is the wait \
         for memory, as the two lines that hold a session (its place in the table, and its data) lie in the processor's caches at first, and \
         from 100 000 sessions on in none, nor do their pages' addresses.\n\n{left_out}",
        thousands(VISITED as u64)
    );
    let greatest = sizes[sizes.len() - 1];
    for (index, work) in WORKS.into_iter().enumerate() {
        let head = sizes.iter().map(|size| thousands(*size as u64));
        let mut table = Table::new([format!("{work} {}", work.meaning())].into_iter().chain(head).chain(["growth".to_owned()]));
        let title = format!("{work} {}: time per request by sessions", work.meaning());
        let mut plot = Plot { title: &title, x: "sessions", y: "nanoseconds per request", lines: Vec::new() };
        for (contender, times) in all {
            let at = |size: usize| times.get(&(index, size)).copied();
            let cells = sizes.iter().map(|size| at(*size).map_or("-".to_owned(), |spread| spread.text(0)));
            let growth = at(sizes[0]).zip(at(greatest)).map(|(least, greatest)| greatest.median / least.median);
            let growth = growth.filter(|_| contender.has_sessions());
            let growth_text = growth.map_or("-".to_owned(), |growth| format!("{growth:.2}"));
            table.row([contender.name().to_owned()].into_iter().chain(cells).chain([growth_text]));
            let points = sizes.iter().filter_map(|size| Some((*size as f64, at(*size)?.median)));
            plot.lines.push((contender.name().to_owned(), points.collect()));
            if let Some(growth) = growth.filter(|_| [LAZY, STANDARD].contains(contender)) {
                let what = format!(
                    "time at {} sessions over that at {}, {contender} {work}",
                    thousands(greatest as u64),
                    thousands(sizes[0] as u64)
                );
                report.goal(what, Must::AtMost, LIMIT, growth, |growth| format!("{growth:.2}"));
            }
        }
        plot.lines.retain(|(name, _)| name != NOOP.name());
        let file = format!("sessions-{}.svg", work.path().trim_start_matches('/'));
        text.push_str(&format!("\n{table}\n{}", report.plot(&file, &title, plot.svg())));
    }
    report.section("Sessions", &text);
}
