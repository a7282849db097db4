//! Updates of one session by many tasks.

use std::time::Instant;

use axum::Router;
use http::HeaderValue;
use tokio::runtime::Runtime;
use tower::Service;
use workloads::client::{end, request};
use workloads::{Client, Work};

use super::{Settings, progress, runtime_of};
use crate::contender::{Contender, LAZY, STANDARD};
use crate::report::Report;
use crate::statistics::Spread;
use crate::table::{Table, thousands};

const TASKS: usize = 64;
const THREADS: usize = 2;

const CONTENDERS: [Contender; 5] =
    [LAZY, STANDARD, Contender::TowerSessions, Contender::TowerSessionsMoka, Contender::AxumSession];

pub fn run(settings: Settings, report: &mut Report) {
    let updates: usize = settings.pick(2_000, 200);
    let rounds: usize = settings.pick(15, 3);
    let runtime = runtime_of(THREADS);
    let mut rates = vec![Vec::new(); CONTENDERS.len()];
    let mut kept = vec![0_u64; CONTENDERS.len()];
    for round in 0..rounds {
        progress("contended", format_args!("round {} of {rounds}", round + 1));
        for (index, contender) in CONTENDERS.into_iter().enumerate() {
            let (rate, counted) = contend(&runtime, contender, updates);
            rates[index].push(rate / 1e3);
            kept[index] += counted;
        }
    }
    let made = (updates * TASKS * rounds) as u64;
    let mut table = Table::new(["W4 of one session", "thousands of answers a second", "answered 200", "of them kept", "lost"]);
    for ((contender, rates), kept) in CONTENDERS.into_iter().zip(rates).zip(kept) {
        let lost = made.saturating_sub(kept);
        let lost = format!("{} ({:.1} %)", thousands(lost), lost as f64 / made as f64 * 100.0);
        table.row([contender.name().to_owned(), Spread::of(rates).text(0), thousands(made), thousands(kept), lost]);
    }
    let text = format!(
        "{TASKS} tasks on {THREADS} threads each add one to the same session, {} times, in {rounds} rounds in turn: median and quartiles. Every \
         request is answered with 200; what the session counts in the end is what was kept. A faster figure beside lost updates is less work.\n\n\
         {table}",
        thousands(updates as u64)
    );
    report.section("Contended updates", &text);
}

/// Answers per second, and how many of the updates the session still has.
fn contend(runtime: &Runtime, contender: Contender, updates: usize) -> (f64, u64) {
    let _inside = runtime.enter();
    let client = Client::of(contender.router(), 1);
    let (app, cookie) = (client.app().clone(), client.cookies()[0].clone());
    let start = Instant::now();
    let tasks: Vec<_> = (0..TASKS).map(|_| runtime.spawn(update(app.clone(), cookie.clone(), updates))).collect();
    runtime.block_on(async {
        for task in tasks {
            task.await.expect("no panic");
        }
    });
    let rate = (TASKS * updates) as f64 / start.elapsed().as_secs_f64();
    (rate, runtime.block_on(counted(app, &cookie)))
}

async fn update(mut app: Router, cookie: HeaderValue, updates: usize) {
    for update in 0..updates {
        let response = app.call(request(Work::Write.path(), Some(&cookie))).await.unwrap_or_else(|never| match never {});
        assert!(response.status().is_success(), "the answer is {}", response.status());
        end(response);
        if update % 16 == 15 {
            tokio::task::yield_now().await;
        }
    }
}

async fn counted(mut app: Router, cookie: &HeaderValue) -> u64 {
    let response = app.call(request("/counted", Some(cookie))).await.unwrap_or_else(|never| match never {});
    let body = axum::body::to_bytes(response.into_body(), 100).await.expect("a body");
    String::from_utf8_lossy(&body).parse().expect("a number")
}
