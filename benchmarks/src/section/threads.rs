//! Throughput by threads.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use axum::Router;
use http::HeaderValue;
use tokio::runtime::Runtime;
use tower::Service;
use workloads::client::{end, request};
use workloads::{Client, Work};

use super::{Settings, progress, runtime_of};
use crate::contender::{BARE, Contender, LAZY, STANDARD};
use crate::plot::Plot;
use crate::report::{Must, Report};
use crate::statistics::{Random, Spread, paired};
use crate::table::{Table, thousands};

const TASKS: usize = 64;

/// A task lets the others go on after so many requests, since nothing here waits.
const REQUESTS_AT_A_TIME: usize = 16;

/// How far the growth may be below the bare router's.
const WITHIN: f64 = 0.95;

struct Series {
    contender: Contender,
    work: Work,
    /// Requests per second, by number of threads and round.
    rounds: Vec<Vec<f64>>,
}

pub fn run(settings: Settings, report: &mut Report) {
    let sessions = settings.pick(100_000, 20_000);
    let rounds = settings.pick(15, 5);
    let time = Duration::from_millis(settings.pick(300, 60));
    let threads = thread_counts();
    let runtimes: Vec<Runtime> = threads.iter().map(|&threads| runtime_of(threads)).collect();
    let filled = fill(&runtimes[0], sessions);
    let mut all: Vec<Series> = Vec::new();
    for work in [Work::Read, Work::Write] {
        for (contender, ..) in &filled {
            all.push(Series { contender: *contender, work, rounds: vec![Vec::new(); threads.len()] });
        }
    }
    for round in 0..rounds {
        progress("threads", format_args!("round {} of {rounds}", round + 1));
        for series in &mut all {
            let (_, app, cookies) = filled.iter().find(|(contender, ..)| *contender == series.contender).expect("filled");
            for (runtime, figures) in runtimes.iter().zip(&mut series.rounds) {
                figures.push(throughput(runtime, app, cookies, series.work, time));
            }
        }
    }
    write(report, &threads, sessions, &all);
}

fn write(report: &mut Report, threads: &[usize], sessions: usize, all: &[Series]) {
    let mut text = format!(
        "{TASKS} tasks on a runtime of so many threads, each sending requests for one of {} sessions at random, in short rounds in turn; \
         thousands of requests a second, the client's part included: median and quartiles. Growth is from 1 to 2 threads, round by \
         round.\n",
        thousands(sessions as u64)
    );
    for work in [Work::Read, Work::Write] {
        let of_work = || all.iter().filter(|series| series.work == work);
        let growth = |series: &Series| paired(&series.rounds[1], &series.rounds[0], |two, one| two / one);
        let bare = growth(of_work().find(|series| series.contender == BARE).expect("bare is measured"));
        let heads = threads.iter().map(|threads| format!("{threads} threads, k/s"));
        let mut table = Table::new([format!("{work} {}", work.meaning())].into_iter().chain(heads).chain(["growth".to_owned()]));
        let mut plot = Plot {
            title: &format!("{work} {}: time per request by threads", work.meaning()),
            x: "threads",
            y: "nanoseconds per request",
            lines: Vec::new(),
        };
        for series in of_work() {
            let spreads: Vec<Spread> =
                series.rounds.iter().map(|rounds| Spread::of(rounds.iter().map(|rate| rate / 1e3))).collect();
            let cells = spreads.iter().map(|spread| spread.text(0));
            table.row([series.contender.name().to_owned()].into_iter().chain(cells).chain([growth(series).text(2)]));
            let points = threads.iter().zip(&spreads).map(|(threads, spread)| (*threads as f64, 1e6 / spread.median));
            plot.lines.push((series.contender.name().to_owned(), points.collect()));
            if [LAZY, STANDARD].contains(&series.contender) {
                let what = format!("growth from 1 to 2 threads, {} {work}, bare's being {:.2}", series.contender, bare.median);
                let (limit, growth) = (bare.median * WITHIN, growth(series).median);
                report.goal(what, Must::AtLeast, limit, growth, |growth| format!("{growth:.2}"));
            }
        }
        let file = format!("threads-{}.svg", work.path().trim_start_matches('/'));
        text.push_str(&format!("\n{table}\n{}", report.plot(&file, plot.title, plot.svg())));
    }
    report.section("Threads", &text);
}

/// 1, 2, 4 and so on, as far as this machine has processors, and 2 at least.
fn thread_counts() -> Vec<usize> {
    let most = thread::available_parallelism().map_or(2, usize::from).max(2);
    (0..usize::BITS).map(|power| 1 << power).take_while(|threads| *threads <= most).collect()
}

/// Each contender's router, and the cookies of its sessions.
fn fill(runtime: &Runtime, sessions: usize) -> Vec<(Contender, Router, Arc<[HeaderValue]>)> {
    let _inside = runtime.enter();
    let filled = Contender::MAIN.map(|contender| {
        progress("threads", format_args!("filling {contender}"));
        let client = Client::of(contender.router(), sessions);
        (contender, client.app().clone(), client.cookies().into())
    });
    filled.into()
}

/// Requests per second.
fn throughput(runtime: &Runtime, app: &Router, cookies: &Arc<[HeaderValue]>, work: Work, time: Duration) -> f64 {
    let over = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let (mut app, cookies, over) = (app.clone(), Arc::clone(cookies), Arc::clone(&over));
            runtime.spawn(async move {
                let (mut random, mut sent) = (Random::new(task as u64), 0_u64);
                while !over.load(Ordering::Relaxed) {
                    for _ in 0..REQUESTS_AT_A_TIME {
                        let cookie = &cookies[random.below(cookies.len())];
                        let response = app.call(request(work.path(), Some(cookie))).await.unwrap_or_else(|never| match never {});
                        assert!(response.status().is_success(), "the answer is {}", response.status());
                        end(response);
                        sent += 1;
                    }
                    tokio::task::yield_now().await;
                }
                sent
            })
        })
        .collect();
    let start = Instant::now();
    thread::sleep(time);
    over.store(true, Ordering::Relaxed);
    let sent: u64 = runtime.block_on(async {
        let mut sent = 0;
        for task in tasks {
            sent += task.await.expect("no panic");
        }
        sent
    });
    sent as f64 / start.elapsed().as_secs_f64()
}
