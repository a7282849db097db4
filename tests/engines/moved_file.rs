//! A SQLite file that is moved, removed or replaced while a program has it open: the program goes on with the one that others find there.

use std::fs;
use std::path::Path;
use std::time::Duration;

use session_runtime::SessionId;
use session_runtime::store::{AnyStore, Loaded, Store, StoreError};

use crate::app::{Counter, connect, key, new_session, until};
use crate::engine;
use crate::failover::{counter, create, found, new_id};

const HOUR: Duration = Duration::from_secs(3600);

/// The file, and what is beside it while it is open.
const PARTS: [&str; 3] = ["", "-wal", "-shm"];

async fn has(store: &AnyStore<Counter>, id: &SessionId) -> bool {
    matches!(store.load(key(id)).await, Ok(Loaded::Found(_)))
}

/// Others find it, and it finds what others make.
async fn is_shared(one: &AnyStore<Counter>, other: &AnyStore<Counter>) -> bool {
    let (by_one, by_other) = (new_id(), new_id());
    for (store, id) in [(one, &by_one), (other, &by_other)] {
        if store.create(key(id), new_session(counter(1), HOUR, None)).await.is_err() {
            return false;
        }
    }
    has(other, &by_one).await && has(one, &by_other).await
}

async fn is_followed(how: &str, away: impl FnOnce(&Path)) {
    let (url, store, before) = with_a_session(how).await;
    away(Path::new(url.strip_prefix("sqlite://").unwrap()));
    are_together(how, &url, &store, &before).await;
}

async fn with_a_session(how: &str) -> (String, AnyStore<Counter>, SessionId) {
    let url = engine::sqlite().url;
    let store = connect(&url).await;
    let before = new_id();
    create(&store, &before).await;
    assert_eq!(found(&store, &before).await.data.count, 1, "{how}");
    (url, store, before)
}

async fn are_together(how: &str, url: &str, store: &AnyStore<Counter>, before: &SessionId) {
    let other = connect(url).await;
    until(&format!("{how}: the file that is there is not found"), async || is_shared(store, &other).await).await;
    for _ in 0..10 {
        assert!(is_shared(store, &other).await, "{how}");
    }
    assert!(!has(store, before).await, "{how}: what was in the other file");
    store.close().await.unwrap();
    other.close().await.unwrap();
}

fn part(file: &Path, part: &str) -> String {
    format!("{}{part}", file.display())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_removed_is_made_anew() {
    let how = "removed alone";
    let (url, store, before) = with_a_session(how).await;
    fs::remove_file(url.strip_prefix("sqlite://").unwrap()).unwrap();
    // Another program that opens it sooner finds beside it what is the old file's.
    until(&format!("{how}: it is not made anew"), async || !has(&store, &before).await).await;
    until(&format!("{how}: changes go to the old one"), async || {
        let id = new_id();
        let created = store.create(key(&id), new_session(counter(1), HOUR, None)).await;
        created.is_ok() && has(&store, &id).await
    })
    .await;
    are_together(how, &url, &store, &before).await;
    is_followed("removed with what is beside it", |file| {
        PARTS.iter().for_each(|name| fs::remove_file(part(file, name)).unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_was_moved_is_made_anew() {
    is_followed("moved", |file| {
        PARTS.iter().for_each(|name| fs::rename(part(file, name), part(file, &format!("-moved{name}"))).unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_came_in_the_place_of_another_is_used() {
    let (copied, kept) = (engine::sqlite().url, new_id());
    let store = connect(&copied).await;
    create(&store, &kept).await;
    store.close().await.unwrap();
    let copy = copied.strip_prefix("sqlite://").unwrap();
    is_followed("replaced", |file| {
        PARTS[1..].iter().for_each(|name| fs::remove_file(part(file, name)).unwrap());
        fs::rename(copy, file).unwrap();
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_be_had_is_an_error_until_it_can() {
    let folder = format!("{}-folder", engine::sqlite().url);
    let path = folder.strip_prefix("sqlite://").unwrap().to_owned();
    fs::create_dir(&path).unwrap();
    let store = connect(&format!("{folder}/sessions.db")).await;
    let id = new_id();
    create(&store, &id).await;
    fs::rename(&path, format!("{path}-unmounted")).unwrap();
    until("the file is still taken for good", async || store.load(key(&id)).await.is_err()).await;
    let said = store.create(key(&new_id()), new_session(counter(1), HOUR, None)).await.unwrap_err();
    assert!(matches!(said, StoreError::Unavailable(_)), "{said:?}");
    fs::rename(format!("{path}-unmounted"), &path).unwrap();
    until("the file is not found again", async || has(&store, &id).await).await;
    create(&store, &new_id()).await;
}
