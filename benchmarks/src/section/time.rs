//! Time per request, hot: few sessions, one thread.

use std::collections::HashMap;
use std::time::Instant;

use http::HeaderValue;
use workloads::client::{end, session_cookie};
use workloads::{Client, Work};

use super::{Settings, progress};
use crate::contender::{BARE, Contender, LAZY, NOOP};
use crate::report::Report;
use crate::statistics::{Spread, paired};
use crate::table::{Table, work_heads};

/// The sessions of each contender, each of which has one request a round.
const SESSIONS: usize = 100;

type Rounds = HashMap<Contender, Vec<f64>>;

pub fn run(settings: Settings, report: &mut Report) {
    let rounds = settings.pick(1500, 150);
    let times = Work::ALL.map(|work| {
        progress("time", format_args!("{work} {}", work.meaning()));
        measure(work, rounds)
    });
    let mut over = Table::new(work_heads("ns over `noop`"));
    let mut ratio = Table::new(work_heads("times `bare`"));
    for contender in Contender::ALL {
        let spreads = times.each_ref().map(|rounds| {
            if contender.has_sessions() {
                paired(&rounds[&contender], &rounds[&NOOP], |time, noop| time - noop)
            } else {
                Spread::of(rounds[&contender].iter().copied())
            }
        });
        over.row([contender.name().to_owned()].into_iter().chain(spreads.map(|spread| spread.text(0))));
        let ratios = times.each_ref().map(|rounds| paired(&rounds[&contender], &rounds[&BARE], |time, bare| time / bare));
        ratio.row([contender.name().to_owned()].into_iter().chain(ratios.map(|spread| spread.text(2))));
    }
    let best = times.each_ref().map(|rounds| {
        let over = |contender: Contender| paired(&rounds[&contender], &rounds[&NOOP], |time, noop| time - noop).median;
        let best = Contender::PEERS.map(over).into_iter().fold(f64::INFINITY, f64::min);
        format!("{:.1}", best / over(LAZY).max(1.0))
    });
    over.row(["the best peer, as a multiple of lazy".to_owned()].into_iter().chain(best));
    let text = format!(
        "One thread, {SESSIONS} sessions, {rounds} rounds of {SESSIONS} requests, all contenders in turn within each round; from \
         the call of the router to the end of the response's body. Figures are the median over the rounds, and the quartiles. Each round is compared \
         with the same round of `noop` or `bare`.\n\nNanoseconds per request: `bare`, `noop` and `hand-over` as they are, the \
         others over `noop`.\n\n{over}\nAs a ratio to `bare`:\n\n{ratio}"
    );
    report.section("Time per request", &text);
}

fn measure(work: Work, rounds: usize) -> Rounds {
    let runtime = super::runtime();
    let _inside = runtime.enter();
    let mut clients: Vec<_> =
        Contender::ALL.into_iter().map(|contender| (contender, Client::of(contender.router(), SESSIONS))).collect();
    let mut times = Rounds::new();
    for round in 0..rounds + rounds / 10 {
        // Each begins a round as often as every other.
        clients.rotate_left(1);
        for (contender, client) in &mut clients {
            let time = one_round(client, work, 0..SESSIONS);
            if round >= rounds / 10 {
                times.entry(*contender).or_default().push(time);
            }
        }
    }
    times
}

/// One request of each of these sessions: nanoseconds per request.
///
/// The requests are made before, and the cookies are taken in afterwards.
pub fn one_round(client: &mut Client, work: Work, sessions: impl IntoIterator<Item = usize>) -> f64 {
    let sessions: Vec<usize> = sessions.into_iter().collect();
    let requests: Vec<_> = sessions.iter().map(|&session| client.request(work, session)).collect();
    let mut cookies: Vec<Option<HeaderValue>> = Vec::with_capacity(sessions.len());
    let mut failed = 0;
    let start = Instant::now();
    for request in requests {
        let response = client.call(request);
        failed += usize::from(!response.status().is_success());
        if work == Work::Rotate {
            cookies.push(session_cookie(&response).cloned());
        }
        end(response);
    }
    let time = start.elapsed();
    assert_eq!(failed, 0, "requests failed");
    for (session, cookie) in sessions.iter().zip(cookies) {
        if let Some(cookie) = cookie {
            client.set_cookie(*session, &cookie);
        }
    }
    time.as_nanos() as f64 / sessions.len() as f64
}
