//! What a steady load sees of a PostgreSQL or a MariaDB that fails, and of a SQLite file that another process holds.

use std::time::{Duration, Instant};

use sqlx::{AssertSqlSafe, Connection, MySqlPool, PgPool, SqliteConnection};

use crate::app::{connect, until};
use crate::detour::Detour;
use crate::engine;
use crate::failover::mariadb_account;
use crate::servers::{self, Server, start_mariadb, start_postgres};
use crate::under_load::under_load;

/// How long a server is of no use, where the fault is its own.
const WHILE: Duration = Duration::from_secs(2);

async fn started<S: Send + 'static>(start: impl FnOnce() -> S + Send + 'static) -> S {
    tokio::task::spawn_blocking(start).await.unwrap()
}

async fn detour_to(server: &Server) -> (Detour, String) {
    let detour = Detour::to(server.port()).await;
    let url = server.url().replace(&format!(":{}/", server.port()), &format!(":{}/", detour.port));
    (detour, url)
}

async fn is_started_again(name: &str, mut server: Server) {
    let url = server.url().to_owned();
    under_load(&format!("{name}: server stopped and started again"), &url, async {
        tokio::task::block_in_place(|| {
            server.stop();
            std::thread::sleep(Duration::from_secs(1));
            server.start_again();
        });
        Instant::now()
    })
    .await;
}

async fn firewall_forgets(name: &str, server: Server) {
    let (detour, url) = detour_to(&server).await;
    under_load(&format!("{name}: firewall forgets all connections"), &url, async {
        detour.forget();
        Instant::now()
    })
    .await;
}

mod postgres {
    use super::*;

    async fn pool(server: &Server) -> PgPool {
        PgPool::connect(server.url()).await.unwrap()
    }

    async fn run(pool: &PgPool, sql: &'static str) {
        sqlx::raw_sql(sql).execute(pool).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_standby_that_is_promoted() {
        let old = started(start_postgres).await;
        let (port, url) = (old.port(), old.url().to_owned());
        let (new, mut old) = started(move || (servers::start_postgres_standby(&old), old)).await;
        let (detour, url_of_detour) = detour_to(&old).await;
        assert_eq!(url.replace(&port.to_string(), ""), url_of_detour.replace(&detour.port.to_string(), ""));
        under_load("PostgreSQL: standby promoted, the address follows after 1 s", &url_of_detour, async {
            // A server that is shut down lets its standby have everything first.
            tokio::task::block_in_place(|| old.stop());
            run(&pool(&new).await, "SELECT pg_promote()").await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            detour.move_to(new.port());
            Instant::now()
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn connections_that_are_ended() {
        let server = started(start_postgres).await;
        let pool = pool(&server).await;
        let url = format!("{}?application_name=sessions", server.url());
        under_load("PostgreSQL: all connections ended, five times", &url, async {
            for _ in 0..5 {
                run(&pool, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sessions'").await;
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            Instant::now()
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_that_is_started_again() {
        is_started_again("PostgreSQL", started(start_postgres).await).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_firewall_that_forgets() {
        firewall_forgets("PostgreSQL", started(start_postgres).await).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_table_that_is_locked() {
        let server = started(start_postgres).await;
        let pool = pool(&server).await;
        under_load("PostgreSQL: table locked for 3 s", server.url(), async {
            let mut lock = pool.begin().await.unwrap();
            sqlx::query("LOCK TABLE session_runtime IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.unwrap();
            tokio::time::sleep(Duration::from_secs(3)).await;
            lock.commit().await.unwrap();
            Instant::now()
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_that_takes_no_changes() {
        let server = started(start_postgres).await;
        let pool = pool(&server).await;
        under_load("PostgreSQL: read-only for 2 s", server.url(), async {
            // In transactions of their own, which may write.
            run(&pool, "ALTER SYSTEM SET default_transaction_read_only = on").await;
            run(&pool, "SELECT pg_reload_conf()").await;
            tokio::time::sleep(WHILE).await;
            let mut connection = pool.acquire().await.unwrap();
            for sql in ["SET default_transaction_read_only = off", "ALTER SYSTEM RESET default_transaction_read_only"] {
                sqlx::raw_sql(sql).execute(&mut *connection).await.unwrap();
            }
            run(&pool, "SELECT pg_reload_conf()").await;
            let is_off = "SELECT setting = 'off' FROM pg_settings WHERE name = 'default_transaction_read_only'";
            until("the setting is taken back", async || {
                sqlx::query_scalar::<_, bool>(is_off).fetch_one(&PgPool::connect(server.url()).await.unwrap()).await.unwrap()
            })
            .await;
            Instant::now()
        })
        .await;
    }
}

mod mariadb {
    use super::*;

    async fn pool(server: &Server) -> MySqlPool {
        MySqlPool::connect(server.url()).await.unwrap()
    }

    async fn run(pool: &MySqlPool, sql: impl Into<String>) {
        sqlx::raw_sql(AssertSqlSafe(sql.into())).execute(pool).await.unwrap();
    }

    /// An account that may not write where the server is read-only, as that of the tests may; where it connects by the URL.
    async fn account(pool: &MySqlPool, url: &str) -> String {
        connect(url).await;
        mariadb_account(pool, url, "shop", "SELECT, INSERT, UPDATE, DELETE ON app.session_runtime").await
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_replica_that_takes_over() {
        let old = started(|| servers::start_mariadb_with(&["--server-id=1", "--log-bin=changes", "--binlog-format=ROW"])).await;
        let new = started(|| servers::start_mariadb_with(&["--server-id=2"])).await;
        let (primary, replica) = (pool(&old).await, pool(&new).await);
        let follow = "CHANGE MASTER TO master_host = '127.0.0.1', master_user = 'app', master_password = 'app', \
                      master_use_gtid = slave_pos, master_port =";
        run(&replica, format!("{follow} {}", old.port())).await;
        run(&replica, "START SLAVE").await;
        let (detour, url) = detour_to(&old).await;
        let url = account(&primary, &url).await;
        under_load("MariaDB: replica takes over, the address follows after 1 s", &url, async {
            run(&primary, "SET GLOBAL read_only = 1").await;
            let done: String = sqlx::query_scalar("SELECT @@gtid_binlog_pos").fetch_one(&primary).await.unwrap();
            let follows = "SELECT CAST(MASTER_GTID_WAIT(?, 60) AS SIGNED)";
            let follows: i64 = sqlx::query_scalar(follows).bind(&done).fetch_one(&replica).await.unwrap();
            assert_eq!(follows, 0, "the replica does not get to {done}");
            run(&replica, "STOP SLAVE").await;
            tokio::time::sleep(Duration::from_secs(1)).await;
            detour.move_to(new.port());
            Instant::now()
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn connections_that_are_ended() {
        let server = started(start_mariadb).await;
        let pool = pool(&server).await;
        let url = account(&pool, server.url()).await;
        under_load("MariaDB: all connections ended, five times", &url, async {
            for _ in 0..5 {
                run(&pool, "KILL CONNECTION USER shop").await;
                tokio::time::sleep(Duration::from_millis(300)).await;
            }
            Instant::now()
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_that_is_started_again() {
        is_started_again("MariaDB", started(start_mariadb).await).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_firewall_that_forgets() {
        firewall_forgets("MariaDB", started(start_mariadb).await).await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_that_stands_still() {
        let server = started(start_mariadb).await;
        under_load("MariaDB: server stands still for 3 s", server.url(), async {
            server.signal("STOP");
            tokio::time::sleep(Duration::from_secs(3)).await;
            server.signal("CONT");
            Instant::now()
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_table_that_is_locked() {
        let server = started(start_mariadb).await;
        let pool = pool(&server).await;
        under_load("MariaDB: table locked for 3 s", server.url(), async {
            let mut lock = pool.acquire().await.unwrap();
            sqlx::raw_sql("LOCK TABLES session_runtime WRITE").execute(&mut *lock).await.unwrap();
            tokio::time::sleep(Duration::from_secs(3)).await;
            sqlx::raw_sql("UNLOCK TABLES").execute(&mut *lock).await.unwrap();
            Instant::now()
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_server_that_takes_no_changes() {
        let server = started(start_mariadb).await;
        let pool = pool(&server).await;
        let url = account(&pool, server.url()).await;
        under_load("MariaDB: read-only for 2 s", &url, async {
            run(&pool, "SET GLOBAL read_only = 1").await;
            tokio::time::sleep(WHILE).await;
            run(&pool, "SET GLOBAL read_only = 0").await;
            Instant::now()
        })
        .await;
    }
}

mod sqlite {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn a_file_that_another_program_writes() {
        let url = engine::sqlite().url;
        connect(&url).await;
        let mut other = SqliteConnection::connect(&url).await.unwrap();
        under_load("SQLite: another program writes for 3 s", &url, async {
            sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
            tokio::time::sleep(Duration::from_secs(3)).await;
            sqlx::raw_sql("ROLLBACK").execute(&mut other).await.unwrap();
            Instant::now()
        })
        .await;
    }
}
