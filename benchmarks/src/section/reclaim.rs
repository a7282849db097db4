//! Reclaiming expired sessions, and what requests feel of it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use cpu_time::ThreadTime;
use http::HeaderValue;
use session_runtime::SessionId;
use session_runtime::store::{Key, Limits, MemoryStore, Namespace, NewSession, Origin, Store};
use tower::Service;
use workloads::client::{at_once, end, request};
use workloads::{Account, Client, Data, Subject, Work};

use super::{Settings, progress, runtime};
use crate::contender::reclaiming_moka;
use crate::report::{Must, Report};
use crate::table::{Table, thousands};

/// No request may wait for longer, in work of its thread.
const LIMIT: Duration = Duration::from_millis(1);

/// How long requests take, waiting for their turn included: sorted.
struct Delays {
    by_the_clock: Vec<Duration>,
    /// What the thread worked meanwhile, which does not count the time that the machine gave to other programs.
    of_work: Vec<Duration>,
}

pub fn run(settings: Settings, report: &mut Report) {
    let sessions = settings.pick(1_000_000, 100_000);
    let mut table = Table::new(["", "reclaimed", "in", "a request takes, median", "99.9 %", "longest", "longest, of work"]);

    progress("reclaim", "lazy");
    let (time, swept, delays) = ours(sessions);
    table.row(delays.cells("lazy", &thousands(swept), &format!("{time:.0?}")));
    let what = format!("longest delay of a request while {} sessions are reclaimed, ms of work", thousands(sessions as u64));
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    report.goal(what, Must::AtMost, milliseconds(LIMIT), milliseconds(longest(&delays.of_work)), |ms| format!("{ms:.2}"));

    progress("reclaim", "tower-sessions-moka");
    let delays = moka(sessions, settings.pick(12, 3), Duration::from_secs(settings.pick(8, 2)));
    table.row(delays.cells("tower-sessions-moka", "not visible", "not visible"));

    progress("reclaim", "no sweep, to compare");
    let delays = nothing(settings.pick(2_000_000, 200_000));
    table.row(delays.cells("lazy, nothing to reclaim", "-", "-"));

    let text = format!(
        "{} sessions that are expired, and one that is read all the time, on a runtime of one thread: a request waits for its turn \
         beside the sweep, and for other programs, which the last column does not count. moka reclaims within its own operations: its row is the requests of the seconds after the instant of expiry. \
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
    let namespace = Namespace::new("SESSION_ID");
    for number in 0..sessions {
        let id = SessionId::parse(&format!("{number:064}")).expect("a valid id");
        let session = NewSession::new(data(), Limits::new(Duration::from_nanos(1), None), Origin::Change);
        at_once(store.create(Key::new(&namespace, &id), session)).expect("memory");
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
    let (mut by_the_clock, mut of_work) = (Vec::with_capacity(1 << 22), Vec::with_capacity(1 << 22));
    while go_on() {
        let (start, work) = (Instant::now(), ThreadTime::now());
        tokio::task::yield_now().await;
        read(&mut app, &cookie).await;
        of_work.push(work.elapsed());
        by_the_clock.push(start.elapsed());
    }
    by_the_clock.sort_unstable();
    of_work.sort_unstable();
    Delays { by_the_clock, of_work }
}

async fn read(app: &mut Router, cookie: &HeaderValue) {
    let response = app.call(request(Work::Read.path(), Some(cookie))).await.unwrap_or_else(|never| match never {});
    assert!(response.status().is_success(), "the answer is {}", response.status());
    end(response);
}

impl Delays {
    fn cells(&self, name: &str, reclaimed: &str, time: &str) -> [String; 7] {
        let at = |part: usize| self.by_the_clock.get(self.by_the_clock.len() * part / 1000).copied().unwrap_or_default();
        let delays = [at(500), at(999), longest(&self.by_the_clock), longest(&self.of_work)];
        let [median, most, longest, of_work] = delays.map(|delay| format!("{delay:.1?}"));
        [name.to_owned(), reclaimed.to_owned(), time.to_owned(), median, most, longest, of_work]
    }
}

fn longest(sorted: &[Duration]) -> Duration {
    sorted.last().copied().unwrap_or_default()
}
