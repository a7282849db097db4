//! A disk that is full, under a SQLite file.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use session_runtime::store::{AnyStore, SqlOptions, SqliteStore, Store};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::app::{Counter, connect, serve};
use crate::servers;
use crate::wire::Client;

/// A file system of one megabyte, which goes with this value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    /// `None` where mounting is not permitted, as it is to root on most machines and in few containers.
    fn mount(folder: &Path) -> Option<Self> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(folder).stderr(Stdio::null());
        mount.status().is_ok_and(|status| status.success()).then(|| Self(folder.to_owned()))
    }

    /// Leaves no byte; the file that took them.
    fn fill(&self) -> PathBuf {
        let filler = self.0.join("filler");
        assert!(std::fs::write(&filler, vec![0; 2 << 20]).is_err(), "the disk is larger than it was made");
        filler
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: the store's task that sweeps may still have the file open.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_ends_no_session_that_is_used_and_users_log_out_and_what_needs_room_is_refused() {
    let folder = servers::temporary_folder("full");
    let file = folder.join("sessions.db");
    if let Some(disk) = SmallDisk::mount(&folder) {
        println!("a full disk: a file system of one megabyte");
        let store = connect(&format!("sqlite://{}", file.display())).await;
        let address = serve(store.clone()).await;
        let mut client = Client::to(&address).await;
        client.post("/add").await;
        assert_eq!(client.post("/add").await.body, "2");
        let mut leaving = Client::to(&address).await;
        leaving.post("/add").await;
        // As the store does by itself now and then.
        store.sweep().await.unwrap();
        let filler = disk.fill();
        for count in 3..200 {
            assert_eq!(client.post("/add").await.body, count.to_string(), "a session that is used lives on");
        }
        let long = format!("/name/{}", "x".repeat(30_000));
        assert_eq!(client.post(&long).await.status, 503, "it needs more room");
        assert_eq!(client.get("/").await.body, "199", "the session is as it was");
        assert_eq!(leaving.post("/logout").await.status, 200);
        leaving.cookie = client.sibling(&address).await.cookie;
        assert_eq!(leaving.get("/").await.body, "199");
        std::fs::remove_file(filler).unwrap();
        assert_eq!(client.post(&long).await.status, 200, "there is room again");
        assert_eq!(client.post("/rotate").await.status, 200);
        assert_eq!(client.get("/").await.body, "199");
    } else {
        println!("a full disk: mounting is not permitted, so a file that may not grow (max_page_count)");
        let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
        let roomy = store(options.clone()).await;
        let mut client = Client::to(&serve(roomy).await).await;
        assert_eq!(client.post("/add").await.body, "1");
        let full = serve(store(options.pragma("max_page_count", "1")).await).await;
        let mut full = client.sibling(&full).await;
        let long = format!("/name/{}", "x".repeat(30_000));
        assert_eq!(full.post(&long).await.status, 503);
        assert_eq!(full.get("/").await.body, "1", "the session is as it was");
        assert_eq!(client.post("/add").await.body, "2", "there is room again");
    }
    let _ = std::fs::remove_dir_all(folder);
}

async fn store(options: SqliteConnectOptions) -> AnyStore<Counter> {
    let pool = SqlitePoolOptions::new().connect_with(options).await.unwrap();
    AnyStore::new(SqliteStore::from_pool(pool, SqlOptions::new()).await.unwrap())
}
