//! The engines that a test goes through.

use std::fmt;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::servers;

/// An engine with a place of the test's own in it.
#[derive(Clone)]
pub struct Engine {
    pub name: &'static str,
    /// What is given to `store::connect`.
    pub url: String,
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
