//! The servers that the apps keep their sessions in, and their counts of calls.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;

use sqlx::{Connection, PgConnection};

use crate::child::work_of;
use crate::section::runtime;
use crate::servers::{Server, start_postgres, start_redis, temporary_folder};

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    None,
    Redis,
    Postgres,
    Sqlite,
}

/// Private servers, which end with this value.
pub struct Engines {
    redis: Server,
    postgres: Server,
    folder: PathBuf,
}

impl Engines {
    /// # Panics
    ///
    /// Where a server is not installed.
    pub fn start() -> Self {
        let (redis, postgres) = (start_redis(), start_postgres());
        let engines = Self { redis, postgres, folder: temporary_folder("sqlite") };
        let create = "CREATE EXTENSION pg_stat_statements";
        runtime().block_on(async {
            let mut connection = engines.connect_to_postgres().await;
            sqlx::query(create).execute(&mut connection).await.expect("an extension of PostgreSQL itself");
        });
        engines
    }

    /// The URL for an app; SQLite's has a file of its own.
    pub fn url(&self, engine: Engine, app: &str) -> String {
        match engine {
            Engine::None => "memory:".to_owned(),
            Engine::Redis => self.redis.url().to_owned(),
            Engine::Postgres => self.postgres.url().to_owned(),
            Engine::Sqlite => format!("sqlite://{}?mode=rwc", self.folder.join(app.replace(", ", "-")).display()),
        }
    }

    /// The time that the engine's processes have worked, in microseconds.
    pub fn work(&self, engine: Engine) -> f64 {
        match engine {
            Engine::Redis => work_of(self.redis.pid()),
            // One process a connection.
            Engine::Postgres => children_of(self.postgres.pid()).into_iter().map(work_of).sum(),
            Engine::None | Engine::Sqlite => 0.0,
        }
    }

    /// The round trips of one request, while so many are sent.
    pub fn calls(&self, engine: Engine, send: impl FnOnce(), requests: u64) -> Option<f64> {
        let count = || match engine {
            // Asking is a read, too.
            Engine::Redis => Some((self.redis_reads(), 1)),
            Engine::Postgres => Some((runtime().block_on(self.statements()), 0)),
            Engine::None | Engine::Sqlite => None,
        };
        let before = count();
        send();
        let ((before, _), (after, own)) = before.zip(count())?;
        Some((after.saturating_sub(before + own)) as f64 / requests as f64)
    }

    fn redis_reads(&self) -> u64 {
        let mut stream = TcpStream::connect(("127.0.0.1", self.redis.port())).expect("it listens");
        stream.write_all(b"INFO stats\r\nQUIT\r\n").expect("it reads");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("it answers");
        let line = text.lines().find_map(|line| line.strip_prefix("total_reads_processed:"));
        line.and_then(|count| count.trim().parse().ok()).expect("Redis 6 or later counts its reads")
    }

    async fn statements(&self) -> u64 {
        let mut connection = self.connect_to_postgres().await;
        let sum = "SELECT coalesce(sum(calls), 0)::bigint FROM pg_stat_statements WHERE query NOT LIKE '%pg_stat_statements%'";
        let count: i64 = sqlx::query_scalar(sum).fetch_one(&mut connection).await.expect("the extension is there");
        count.unsigned_abs()
    }

    async fn connect_to_postgres(&self) -> PgConnection {
        PgConnection::connect(self.postgres.url()).await.expect("it listens")
    }
}

fn children_of(pid: u32) -> Vec<u32> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    children.split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

impl Drop for Engines {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
