//! `examples/account` in two processes that share their sessions, on every engine that keeps owners.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::app::PATIENCE;
use crate::engine::{self, Engine};
use crate::examples::Example;
use crate::wire::Client;

/// What the example allows unless told otherwise.
const LIMIT: usize = 5;

/// The example has the `store_timeout` that users have: where a busy machine exceeds that, nobody knows what was done.
struct Busy;

type Asked<R> = Result<R, Busy>;

/// Goes through a story on each engine that keeps owners, once more where the machine was too busy for it.
async fn on_every_engine(story: impl AsyncFn(&Engine) -> Asked<()>) {
    for make in [engine::redis, engine::redis_cluster, engine::sqlite, engine::postgres, engine::mariadb] {
        let start = Instant::now();
        while story(&make()).await.is_err() {
            assert!(start.elapsed() < PATIENCE, "{:?} is too slow", make());
        }
    }
}

/// A page's status and JSON.
async fn ask(client: &mut Client, method: &str, path: &str, fields: &str) -> Asked<(u16, Value)> {
    let answer = client.send_form(method, path, fields).await.expect("the server answers");
    if answer.status == 503 {
        return Err(Busy);
    }
    Ok((answer.status, serde_json::from_str(&answer.body).unwrap_or(Value::Null)))
}

async fn get(client: &mut Client, path: &str) -> Asked<(u16, Value)> {
    ask(client, "GET", path, "").await
}

async fn post(client: &mut Client, path: &str) -> Asked<(u16, Value)> {
    ask(client, "POST", path, "").await
}

async fn log_in(client: &mut Client, fields: &str) -> Asked<()> {
    let (status, answer) = ask(client, "POST", "/login", fields).await?;
    assert_eq!(status, 200, "{answer}");
    Ok(())
}

const ADA: &str = "name=ada&password=lovelace";
const GRACE: &str = "name=grace&password=hopper";
const LINUS: &str = "name=linus&password=torvalds";

async fn is_in(client: &mut Client) -> Asked<bool> {
    let (status, answer) = get(client, "/me").await?;
    assert!(status == 200 || status == 401, "{status} {answer}");
    Ok(status == 200)
}

async fn how_many_are_in(clients: &mut [Client]) -> Asked<usize> {
    let mut count = 0;
    for client in clients {
        count += usize::from(is_in(client).await?);
    }
    Ok(count)
}

fn two(engine: &Engine) -> [Example; 2] {
    [Example::run("account", &engine.url), Example::run("account", &engine.url)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_guest_logs_in_and_sees_and_ends_the_devices_of_nobody_else() {
    on_every_engine(async |engine| {
        let processes = two(engine);
        let at = async |process: usize| Client::to(&processes[process].address).await;
        let mut ada = at(0).await;
        assert_eq!(get(&mut ada, "/me").await?.0, 401, "{engine:?}");
        assert_eq!(post(&mut ada, "/cart/tea").await?, (200, json!({"cart": ["tea"]})), "{engine:?}");
        let guest = ada.id().to_owned();
        let (status, refused) = ask(&mut ada, "POST", "/login", "name=ada&password=byron").await?;
        assert!(status == 403 && refused["error"].is_string(), "{engine:?}: {refused}");
        log_in(&mut ada, ADA).await?;
        assert_ne!(ada.id(), guest);
        let me = json!({"user": "ada", "role": "customer", "cart": ["tea"]});
        assert_eq!(get(&mut ada, "/me").await?, (200, me), "{engine:?}");

        let (mut phone, mut linus, mut grace) = (at(1).await, at(1).await, at(1).await);
        log_in(&mut phone, ADA).await?;
        log_in(&mut linus, LINUS).await?;
        log_in(&mut grace, GRACE).await?;
        let (_, devices) = get(&mut ada, "/devices").await?;
        let listed = devices.as_array().unwrap();
        assert_eq!(listed.len(), 2, "{engine:?}: {devices}");
        assert_eq!(listed.iter().filter(|device| device["current"] == true).count(), 1, "{engine:?}: {devices}");
        let page = devices.to_string();
        assert!(!page.contains(ada.id()) && !page.contains(phone.id()), "{engine:?}: {page}");
        let handle = |device: &Value| device["handle"].as_str().unwrap().to_owned();
        let phones = listed.iter().find(|device| device["current"] == false).map(handle).unwrap();
        let ends = format!("/devices/{phones}/end");
        assert_eq!(post(&mut linus, &ends).await?.0, 404, "{engine:?}");
        assert!(is_in(&mut phone).await?, "{engine:?}");

        // What is changed by one process counts in the other, immediately.
        assert_eq!(post(&mut ada, "/admin/ada/role/administrator").await?.0, 403, "{engine:?}");
        assert_eq!(post(&mut grace, "/admin/ada/role/guest").await?, (200, json!({"changed": 2})), "{engine:?}");
        for client in [&mut ada, &mut phone] {
            assert_eq!(get(client, "/me").await?.1["role"], "guest", "{engine:?}");
        }
        assert_eq!(post(&mut ada, &ends).await?, (200, json!({"ended": 1})), "{engine:?}");
        assert!(!is_in(&mut phone).await? && is_in(&mut ada).await?, "{engine:?}");
        assert_eq!(post(&mut grace, "/admin/ada/end-all").await?, (200, json!({"ended": 1})), "{engine:?}");
        assert!(!is_in(&mut ada).await? && is_in(&mut grace).await? && is_in(&mut linus).await?, "{engine:?}");
        assert_eq!(post(&mut linus, "/devices/end-all").await?, (200, json!({"ended": 1})), "{engine:?}");
        assert_eq!(linus.cookie, None, "{engine:?}");
        assert_eq!(post(&mut grace, "/logout").await?.0, 200, "{engine:?}");
        assert_eq!(grace.cookie, None, "{engine:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_twenty_logins_at_once_five_stay_and_a_new_password_ends_all_but_one() {
    on_every_engine(async |engine| {
        let processes = two(engine);
        let mut logins = Vec::new();
        for number in 0..20 {
            let mut client = Client::to(&processes[number % 2].address).await;
            logins.push(tokio::spawn(async move { log_in(&mut client, ADA).await.map(|()| client) }));
        }
        let mut clients = Vec::new();
        for login in logins {
            clients.push(login.await.unwrap()?);
        }
        assert_eq!(how_many_are_in(&mut clients).await?, LIMIT, "{engine:?}");
        let mut kept = Client::to(&processes[0].address).await;
        log_in(&mut kept, ADA).await?;
        assert_eq!(how_many_are_in(&mut clients).await?, LIMIT - 1, "{engine:?}");
        engine.let_pass(kept.id(), Duration::from_secs(400)).await;
        let (status, refused) = ask(&mut kept, "POST", "/password", "new=analytical").await?;
        assert_eq!((status, refused), (401, json!({"error": "not fresh"})), "{engine:?}");
        let before = kept.id().to_owned();
        assert_eq!(ask(&mut kept, "POST", "/confirm", "password=byron").await?.0, 403, "{engine:?}");
        assert_eq!(kept.id(), before, "{engine:?}");
        assert_eq!(ask(&mut kept, "POST", "/confirm", "password=lovelace").await?.0, 200, "{engine:?}");
        assert_ne!(kept.id(), before, "{engine:?}");
        let (status, answer) = ask(&mut kept, "POST", "/password", "new=analytical").await?;
        assert_eq!((status, &answer["ended"]), (200, &json!(LIMIT - 1)), "{engine:?}");
        assert_eq!(how_many_are_in(&mut clients).await?, 0, "{engine:?}");
        assert!(is_in(&mut kept).await?, "{engine:?}");
        Ok(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asked_for_it_is_remembered_when_the_processes_start_anew() {
    on_every_engine(async |engine| {
        let processes = two(engine);
        let mut long = Client::to(&processes[0].address).await;
        let mut short = Client::to(&processes[1].address).await;
        log_in(&mut long, &format!("{ADA}&remember=on")).await?;
        assert_eq!(long.max_age, Some(2_592_000), "{engine:?}");
        log_in(&mut short, ADA).await?;
        assert_eq!(short.max_age, None, "{engine:?}");
        drop(processes);
        let processes = two(engine);
        let mut long = long.sibling(&processes[1].address).await;
        let mut short = short.sibling(&processes[0].address).await;
        assert!(is_in(&mut short).await?, "{engine:?}");
        engine.let_pass(long.id(), Duration::from_secs(24 * 3600)).await;
        engine.let_pass(short.id(), Duration::from_secs(1801)).await;
        assert!(!is_in(&mut short).await? && is_in(&mut long).await?, "{engine:?}");
        Ok(())
    })
    .await;
}
