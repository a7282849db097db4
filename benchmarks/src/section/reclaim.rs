//! Reclaiming expired sessions, and what requests feel of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use http::HeaderValue;
use session_runtime::SessionId;
use session_runtime::store::{Key, Limits, MemoryStore, NewSession, Store};
use tower::Service;
use workloads::client::{at_once, end, request};
use workloads::{Account, Client, Data, Subject, Work};

use super::{Settings, progress, runtime};
use crate::contender::reclaiming_moka;
use crate::report::{Must, Report};
use crate::table::{Table, thousands};

/// No request may wait for longer.
const LIMIT: Duration = Duration::from_millis(1);

/// How long a request takes, waiting for its turn included: sorted.
struct Delays(Vec<Duration>);

pub fn run(settings: Settings, report: &mut Report) {
    let sessions = settings.pick(1_000_000, 100_000);
    let mut table = Table::new(["", "reclaimed", "in", "a request takes, median", "99.9 %", "longest"]);

    progress("reclaim", "lazy");
    let (time, swept, delays) = ours(sessions);
    table.row(delays.cells("lazy", &thousands(swept), &format!("{time:.0?}")));
    let what = format!("longest delay of a request while {} sessions are reclaimed, ms", thousands(sessions as u64));
    report.goal(what, Must::AtMost, LIMIT.as_secs_f64() * 1e3, delays.longest().as_secs_f64() * 1e3, |ms| format!("{ms:.2}"));

    progress("reclaim", "tower-sessions-moka");
    let delays = moka(sessions, settings.pick(12, 3), Duration::from_secs(settings.pick(8, 2)));
    table.row(delays.cells("tower-sessions-moka", "not visible", "not visible"));

    progress("reclaim", "no sweep, to compare");
    let delays = nothing(settings.pick(2_000_000, 200_000));
    table.row(delays.cells("lazy, nothing to reclaim", "-", "-"));

    let text = format!(
        "{} sessions that are expired, and one that is read all the time, on a runtime of one thread: a request waits for its turn \
         beside the sweep, and for the machine (the last row). moka reclaims within its own operations: its row is the requests of the seconds after the instant of expiry. \
         tower-sessions' memory store never removes what expired. axum_session's first sweep comes an hour after its start and is one pass over the whole \
         map (`DashMap::retain`), which this run does not wait for.\n\n{table}",
        thousands(sessions as u64)
    );
    report.section("Reclaiming", &text);
}

fn ours(sessions: usize) -> (Duration, u64, Delays) {
    let runtime = runtime();
    let store = Arc::new(MemoryStore::<Account>::bounded(2 * sessions));
    let data = || Arc::new(Account::sample());
    let _inside = runtime.enter();
    for number in 0..sessions {
        let id = SessionId::parse(&format!("{number:064}")).expect("a valid id");
        let session = NewSession::new(data(), Limits::new(Duration::from_nanos(1), None));
        at_once(store.create(Key::of(&id), session)).expect("memory");
    }
    let client = Client::of(Subject::lazy_over(store.clone()), 1);
    let sweeping = store.clone();
    runtime.block_on(async {
        let start = Instant::now();
        let sweep = tokio::spawn(async move { sweeping.sweep().await.expect("memory") });
        let delays = requests(&client, || !sweep.is_finished()).await;
        let time = start.elapsed();
        let swept = sweep.await.expect("no panic");
        assert_eq!(store.len(), 1, "what is left");
        (time, swept.max(sessions as u64), delays)
    })
}

fn moka(sessions: usize, expire_in: i64, watch: Duration) -> Delays {
    let runtime = runtime();
    let _inside = runtime.enter();
    let start = Instant::now();
    let client = Client::of(reclaiming_moka(sessions, expire_in), 1);
    let wait = Duration::from_secs(expire_in.unsigned_abs()).saturating_sub(start.elapsed());
    assert!(!wait.is_zero(), "filling the store took longer than its sessions live");
    std::thread::sleep(wait);
    let start = Instant::now();
    runtime.block_on(requests(&client, || start.elapsed() < watch))
}

fn nothing(count: usize) -> Delays {
    let runtime = runtime();
    let _inside = runtime.enter();
    let client = Client::of(Subject::Lazy.router(), 1);
    let mut left = count;
    runtime.block_on(requests(&client, || {
        left -= 1;
        left > 0
    }))
}

/// Reads the session again and again, with a turn for the others between the requests.
async fn requests(client: &Client, mut go_on: impl FnMut() -> bool) -> Delays {
    let (mut app, cookie) = (client.app().clone(), client.cookies()[0].clone());
    let mut delays = Vec::with_capacity(1 << 22);
    while go_on() {
        let start = Instant::now();
        tokio::task::yield_now().await;
        read(&mut app, &cookie).await;
        delays.push(start.elapsed());
    }
    delays.sort_unstable();
    Delays(delays)
}

async fn read(app: &mut Router, cookie: &HeaderValue) {
    let response = app.call(request(Work::Read.path(), Some(cookie))).await.unwrap_or_else(|never| match never {});
    assert!(response.status().is_success(), "the answer is {}", response.status());
    end(response);
}

impl Delays {
    fn longest(&self) -> Duration {
        self.0.last().copied().unwrap_or_default()
    }

    fn cells(&self, name: &str, reclaimed: &str, time: &str) -> [String; 6] {
        let at = |part: usize| self.0.get(self.0.len() * part / 1000).copied().unwrap_or_default();
        let [median, most, longest] = [at(500), at(999), self.longest()].map(|delay| format!("{delay:.1?}"));
        [name.to_owned(), reclaimed.to_owned(), time.to_owned(), median, most, longest]
    }
}
