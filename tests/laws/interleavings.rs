//! Tasks of one request, in every order of their steps: none waits for ever, and what the client is left with is what the store holds.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use axum::Router;
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::routing::{get, post};
use session_runtime::store::MemoryStore;
use session_runtime::{SessionData, SessionError, SessionLayer, standard};

use crate::support::visit::Visit;
use crate::support::yielding::Yielding;
use crate::support::{Answer, Client};

type Task = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A walk through the orders: which choice was taken at each step, and of how many.
#[derive(Default)]
struct Orders {
    taken: Vec<(usize, usize)>,
    at: usize,
}

impl Orders {
    fn choose(&mut self, among: usize) -> usize {
        if self.at == self.taken.len() {
            self.taken.push((0, among));
        }
        let (choice, _) = self.taken[self.at];
        self.at += 1;
        choice.min(among - 1)
    }

    /// The next order, if there is one that was not walked.
    fn next(&mut self) -> bool {
        self.at = 0;
        while let Some((choice, among)) = self.taken.pop() {
            if choice + 1 < among {
                self.taken.push((choice + 1, among));
                return true;
            }
        }
        false
    }
}

/// A task is polled only when it was woken: one that was forgotten is found.
struct Woken {
    is: AtomicBool,
    outer: Waker,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.is.store(true, Ordering::SeqCst);
        self.outer.wake_by_ref();
    }
}

async fn in_order(tasks: Vec<Task>, orders: &Mutex<Orders>) {
    let outer = poll_fn(|context| Poll::Ready(context.waker().clone())).await;
    let woken = || Arc::new(Woken { is: AtomicBool::new(true), outer: outer.clone() });
    let mut tasks: Vec<_> = tasks.into_iter().map(|task| (task, woken())).collect();
    poll_fn(move |_| {
        loop {
            if tasks.is_empty() {
                return Poll::Ready(());
            }
            let ready: Vec<_> = (0..tasks.len()).filter(|&at| tasks[at].1.is.load(Ordering::SeqCst)).collect();
            if ready.is_empty() {
                return Poll::Pending;
            }
            let at = ready[orders.lock().unwrap().choose(ready.len())];
            let (task, woken) = &mut tasks[at];
            woken.is.store(false, Ordering::SeqCst);
            let waker = Waker::from(Arc::clone(woken));
            if task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
                drop(tasks.remove(at));
            }
        }
    })
    .await;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Op {
    Read,
    Add,
    Login,
    Logout,
}

use Op::{Add, Login, Logout, Read};

const PAIRS: [[Op; 2]; 10] = [
    [Read, Read],
    [Read, Add],
    [Read, Login],
    [Read, Logout],
    [Add, Add],
    [Add, Login],
    [Add, Logout],
    [Login, Login],
    [Login, Logout],
    [Logout, Logout],
];

/// Each task extracts the session for itself.
async fn perform(op: Op, mut parts: Parts) -> Result<(), SessionError> {
    let session = SessionData::<Visit>::from_request_parts(&mut parts, &()).await?;
    match op {
        Read => Ok(()),
        Add => session.update(|visit| visit.count += 1).await,
        Login => session.rotate_with(|visit| visit.count += 1).await,
        Logout => session.destroy().await,
    }
}

type Results = Arc<Mutex<Vec<(Op, Result<(), SessionError>)>>>;

struct Case {
    store: Arc<MemoryStore<Visit>>,
    orders: Arc<Mutex<Orders>>,
    results: Results,
    ops: [Op; 2],
    persistent: bool,
}

impl Case {
    fn client(&self) -> Client {
        let (ops, orders, results) = (self.ops, Arc::clone(&self.orders), Arc::clone(&self.results));
        let handler = async move |request: Request| {
            let (parts, _) = request.into_parts();
            let tasks = ops.iter().map(|&op| {
                let (parts, results) = (parts.clone(), Arc::clone(&results));
                Box::pin(async move {
                    let result = perform(op, parts).await;
                    results.lock().unwrap().push((op, result));
                }) as Task
            });
            in_order(tasks.collect(), &orders).await;
        };
        let count =
            async |session: Option<SessionData<Visit>>| session.map_or("none".into(), |session| session.count.to_string());
        let layer = SessionLayer::<Visit>::builder()
            .middleware(standard::lazy_session_middleware)
            .session_expire(1000_u64)
            .persistent(self.persistent)
            .store(Yielding::sharing(Arc::clone(&self.store)));
        Client::of(
            Router::new()
                .route("/", post(handler))
                .route("/add", post(async |session: SessionData<Visit>| session.update(|visit| visit.count += 1).await))
                .route("/count", get(count))
                .layer(layer.build().unwrap()),
        )
    }

    /// What has to hold, whichever the order was. `before` is the session's cookie, if there was one.
    async fn check(&self, client: &mut Client, before: Option<String>, answer: &Answer) {
        let results = std::mem::take(&mut *self.results.lock().unwrap());
        let order: Vec<_> = self.orders.lock().unwrap().taken.iter().map(|(choice, _)| *choice).collect();
        let shown = format!("{results:?}, {before:?}, order {order:?}: {answer:?}");
        let logs_out = self.ops.contains(&Logout);
        for (op, result) in &results {
            assert!(result.is_ok() || logs_out && matches!(result, Err(SessionError::NotExists)), "{op:?}: {shown}");
        }
        let count = client.get("/count").await.body;
        if logs_out {
            if before.is_some() {
                assert!(answer.set_cookie().is_some_and(|cookie| cookie.contains("Max-Age=0")), "the cookie stays: {shown}");
            }
            assert_eq!(self.store.len(), usize::from(count != "none"), "{shown}");
            assert!(before.is_none() || count == "none", "not logged out: {shown}");
            return;
        }
        let changes = self.ops.iter().filter(|op| **op != Read).count();
        let expected = changes + usize::from(before.is_some());
        assert_eq!(self.store.len(), usize::from(expected > 0), "{shown}");
        assert_eq!(count, if expected > 0 { expected.to_string() } else { "none".into() }, "{shown}");
        if let Some(old) = before.filter(|_| self.ops.contains(&Login)) {
            assert_eq!(client.with_cookie(old).get("/count").await.body, "none", "{shown}");
        }
    }
}

/// What the request carries.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Carries {
    UnknownId,
    Session,
    /// One that is to be touched.
    OldSession,
    /// One, beside an id that does not exist.
    SessionTwice,
}

async fn in_all_orders(carries: Carries, persistent: bool, ops: [Op; 2]) {
    let orders = Arc::<Mutex<Orders>>::default();
    loop {
        let store = Arc::new(MemoryStore::new());
        let case = Case { store, orders: Arc::clone(&orders), results: Results::default(), ops, persistent };
        let mut client = case.client();
        if carries != Carries::UnknownId {
            client.post("/add").await;
        }
        let before = client.cookie.clone();
        let sent = match (carries, &before) {
            (Carries::SessionTwice, Some(cookie)) => format!("{cookie}; SESSION_ID=unknown"),
            (_, Some(cookie)) => cookie.clone(),
            (_, None) => "SESSION_ID=unknown".into(),
        };
        if carries == Carries::OldSession {
            tokio::time::advance(Duration::from_secs(200)).await;
        }
        let mut sender = client.with_cookie(&sent);
        let answer = tokio::time::timeout(Duration::from_secs(100), sender.post("/")).await.expect("a task waits for ever");
        if answer.set_cookie().is_some() {
            client.cookie = sender.cookie;
        }
        case.check(&mut client, before, &answer).await;
        if !orders.lock().unwrap().next() {
            return;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn tasks_that_come_with_an_unknown_id_make_one_session() {
    for ops in PAIRS {
        in_all_orders(Carries::UnknownId, false, ops).await;
    }
}

#[tokio::test(start_paused = true)]
async fn tasks_that_share_a_session_lose_neither_it_nor_a_change_nor_the_logout() {
    for ops in PAIRS {
        in_all_orders(Carries::Session, false, ops).await;
    }
}

#[tokio::test(start_paused = true)]
async fn nor_where_it_is_to_be_touched() {
    for persistent in [true, false] {
        for ops in PAIRS {
            in_all_orders(Carries::OldSession, persistent, ops).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn nor_where_the_cookie_stands_twice() {
    for ops in [[Read, Login], [Read, Logout]] {
        in_all_orders(Carries::SessionTwice, false, ops).await;
    }
}
