//! The engines that a test goes through.

use std::fmt;
use std::slice::from_ref;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use redis::AsyncCommands;
use sqlx::mysql::MySqlConnection;
use sqlx::postgres::PgConnection;
use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Connection};

use crate::servers::{self, Server};
use crate::wire;

/// An engine with a place of the test's own in it.
#[derive(Clone)]
pub struct Engine {
    pub name: &'static str,
    /// What is given to `store::connect`.
    pub url: String,
}

impl Engine {
    /// Lets `time` pass for the session with this id, and nobody has to wait for it: what is kept of times is moved into the past.
    /// Where sessions have a place of the test's own, it passes for all of them.
    pub async fn let_pass(&self, id: &str, time: Duration) {
        let millis = i64::try_from(time.as_millis()).unwrap();
        match self.url.split(':').next().unwrap() {
            "redis" | "redis+cluster" => {
                // The absolute limit and the creation, beside the value; the rest is Redis's own. In the other layout, the end of the idle
                // limit as well.
                let (pattern, fields) = match self.url.split_once("?key_prefix=") {
                    Some((_, prefix)) => (format!("{prefix}*"), &[32, 48, 64][..]),
                    None => (format!("*{id}*"), &[32, 48][..]),
                };
                let nodes =
                    if self.name == "Redis Cluster" { servers::redis_cluster().masters() } else { from_ref(servers::redis()) };
                let mut keys = 0;
                for node in nodes {
                    keys += let_pass_in_redis(node, &pattern, fields, millis).await;
                }
                assert!(keys > 0, "there is no session for which time could pass");
            }
            scheme => {
                let moved = ["absolute_at", "created_at", "expires_at", "sweep_at", "used_at"]
                    .map(|time| format!("{time} = {time} - {millis}"));
                let sql = AssertSqlSafe(format!("UPDATE {} SET {}", self.table(), moved.join(", ")));
                let url = self.url.split('?').next().unwrap();
                let sql = sqlx::raw_sql(sql);
                let rows = match scheme {
                    "sqlite" => sql.execute(&mut SqliteConnection::connect(url).await.unwrap()).await.unwrap().rows_affected(),
                    "postgres" => sql.execute(&mut PgConnection::connect(url).await.unwrap()).await.unwrap().rows_affected(),
                    _ => sql.execute(&mut MySqlConnection::connect(url).await.unwrap()).await.unwrap().rows_affected(),
                };
                assert!(rows > 0, "there is no session for which time could pass");
            }
        }
    }

    /// The table in a SQL database.
    pub fn table(&self) -> &str {
        self.url.split_once("?table=").map_or("session_runtime", |(_, table)| table)
    }
}

/// The times that a value itself keeps are fields of 16 digits, which begin at `fields`; 0 is none. The number of keys.
async fn let_pass_in_redis(server: &Server, pattern: &str, fields: &[isize], millis: i64) -> usize {
    let mut redis = wire::redis(server).await;
    let keys: Vec<String> = redis.keys(pattern).await.unwrap();
    for key in &keys {
        // The list of an owner's sessions has no times but its own end.
        let is_row = redis.key_type::<_, redis::ValueType>(key).await.unwrap() == redis::ValueType::String;
        for &begin in if is_row { fields } else { &[] } {
            let text: String = redis.getrange(key, begin, begin + 15).await.unwrap();
            if let Ok(time @ 1..) = text.parse::<i64>() {
                let () = redis.setrange(key, begin, format!("{:016}", time - millis)).await.unwrap();
            }
        }
        let expires: i64 = redis.pexpire_time(key).await.unwrap();
        let () = redis.pexpire_at(key, expires - millis).await.unwrap();
    }
    keys.len()
}

impl fmt::Debug for Engine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// Every engine, each with a key prefix or a table that no other test uses.
pub fn all() -> Vec<Engine> {
    vec![redis(), redis_cluster(), redis_shared_with_fastapi(), sqlite(), postgres(), mariadb()]
}

pub fn redis_cluster() -> Engine {
    Engine { name: "Redis Cluster", url: format!("{}?key_prefix={}:", servers::redis_cluster().url(), place()) }
}

pub fn redis() -> Engine {
    Engine { name: "Redis", url: format!("{}?key_prefix={}:", servers::redis().url(), place()) }
}

/// In the FastAPI system's layout, on the server that [`servers::fastapi`] uses too.
pub fn redis_shared_with_fastapi() -> Engine {
    Engine { name: "Redis, shared with FastAPI", url: format!("{}?fastapi_compatible=true", servers::redis().url()) }
}

pub fn sqlite() -> Engine {
    // In the folder of a server, which is removed when the tests are over.
    let folder = servers::redis().folder().display();
    Engine { name: "SQLite", url: format!("sqlite://{folder}/{}.db", place()) }
}

pub fn postgres() -> Engine {
    Engine { name: "PostgreSQL", url: format!("{}?table={}", servers::postgres().url(), place()) }
}

pub fn mariadb() -> Engine {
    Engine { name: "MariaDB", url: format!("{}?table={}", servers::mariadb().url(), place()) }
}

fn place() -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    format!("test_{}", COUNT.fetch_add(1, Ordering::Relaxed))
}
