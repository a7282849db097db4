//! A steady load of some 200 requests a second (reads, changes, logins, logouts), and a fault: no acknowledged change is lost, none is done
//! twice, no session comes back, and 503 ends when the server can answer again. What it prints is in the tables of the page "Choosing an engine".

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::app::{STORE_TIMEOUT, connect, serve_within};
use crate::redis_as_run::Undisturbed;
use crate::wire::Client;

const CLIENTS: usize = 10;

/// Between the requests of one client.
const PACE: Duration = Duration::from_millis(50);

/// How long after the fault is over 503 may go on, by [`Undisturbed`].
const BEYOND: Duration = Duration::from_secs(3);

#[derive(Default)]
struct Course {
    stop: AtomicBool,
    /// When each 503 was answered.
    refused: Mutex<Vec<Instant>>,
}

#[derive(Default)]
struct Seen {
    requests: u64,
    refused: u64,
    ended: Vec<String>,
}

/// What a client knows of its session: what was acknowledged, and what may have been made.
async fn load(address: String, course: Arc<Course>) -> Seen {
    let mut client = Client::to(&address).await;
    let (mut seen, mut known, mut perhaps) = (Seen::default(), 0_u64, 0_u64);
    for turn in 0.. {
        if course.stop.load(Ordering::SeqCst) {
            return seen;
        }
        tokio::time::sleep(PACE).await;
        let (method, path) = match turn % 10 {
            3 => ("POST", "/rotate"),
            9 => ("POST", "/logout"),
            0 | 1 | 4 | 6 => ("POST", "/add"),
            _ => ("GET", "/"),
        };
        let before = client.cookie.clone();
        let (method, path) = if before.is_none() { ("POST", "/add") } else { (method, path) };
        let answer = client.send(method, path).await.expect("an answer");
        seen.requests += 1;
        if answer.status == 503 {
            seen.refused += 1;
            course.refused.lock().unwrap().push(Instant::now());
            match path {
                "/add" => perhaps += 1,
                // Whether it has another id, or none, is not known.
                "/rotate" | "/logout" => {
                    (client.cookie, known, perhaps) = (None, 0, 0);
                }
                _ => {}
            }
            continue;
        }
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        match path {
            "/add" | "/" => {
                let count: u64 = answer.body.parse().unwrap();
                let least = known + u64::from(path == "/add");
                assert!((least..=least + perhaps).contains(&count), "{path}: {count}, {known} acknowledged, {perhaps} perhaps");
                if path == "/add" {
                    (known, perhaps) = (count, 0);
                }
            }
            "/logout" => {
                seen.ended.extend(before);
                (client.cookie, known, perhaps) = (None, 0, 0);
            }
            _ => seen.ended.extend(before.filter(|before| client.cookie.as_ref() != Some(before))),
        }
    }
    seen
}

/// Runs the load while `fault` happens, which tells when the server could answer again.
pub async fn under_load(name: &str, url: &str, fault: impl Future<Output = Instant>) {
    let address = serve_within(STORE_TIMEOUT, connect(url).await).await;
    let course = Arc::new(Course::default());
    let clients: Vec<_> = (0..CLIENTS).map(|_| tokio::spawn(load(address.clone(), Arc::clone(&course)))).collect();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(course.refused.lock().unwrap().len(), 0, "{name}: nothing is refused before");
    let begun = Instant::now();
    let over = fault.await;
    let since = Undisturbed::start();
    while since.elapsed() < BEYOND {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let last = course.refused.lock().unwrap().iter().max().copied();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    course.stop.store(true, Ordering::SeqCst);
    let mut all = Seen::default();
    for client in clients {
        let seen = client.await.unwrap();
        all.requests += seen.requests;
        all.refused += seen.refused;
        all.ended.extend(seen.ended);
    }
    assert_eq!(course.refused.lock().unwrap().iter().max().copied(), last, "{name}: 503 more than {BEYOND:?} after it");
    for cookie in all.ended.drain(..) {
        let mut late = Client::to(&address).await;
        late.cookie = Some(cookie);
        assert_eq!(late.get("/").await.body, "0", "{name}: no session is back");
    }
    let beyond = last.map(|last| last.saturating_duration_since(over));
    println!(
        "| {name} | {} | {} | {:.1?} | {} |",
        all.requests,
        all.refused,
        over.saturating_duration_since(begun),
        beyond.map_or_else(|| "-".to_owned(), |beyond| format!("{beyond:.1?}"))
    );
}
