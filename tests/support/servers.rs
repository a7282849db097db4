//! Private servers for the tests: each on free ports of the loopback address, with its data in a temporary folder.
//!
//! A server that finds one of its ports taken is started again, on others; one that ends otherwise, instead of coming up, is a panic
//! that shows its log.
//!
//! A server is the child of a small shell, which ends it, by its process id, and removes its folder as soon as the test process
//! lets go of the shell's input: when the [`Server`] is dropped, when the tests are over, or when they are killed.
//!
//! Where a server's program is not installed, starting it panics with the line to type.
#![allow(dead_code)] // each test target uses the servers that it needs

use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to start: longer than it does on any machine, so that only one that hangs is given up.
const PATIENCE: Duration = Duration::from_secs(300);

/// How often a server is started on other ports, where it finds them taken.
const TRIES: usize = 10;

/// What stands for the ports of a server in its command and its URL.
const PORTS: [&str; 3] = [PORT, BUS_PORT, TLS_PORT];
const PORT: &str = "{port}";
const BUS_PORT: &str = "{bus port}";
const TLS_PORT: &str = "{TLS port}";

/// A server that runs until it is stopped or dropped.
pub struct Server {
    ports: [Port; PORTS.len()],
    url: String,
    program: Program,
    folder: PathBuf,
    /// The shell that keeps the server, while it runs.
    keeper: Option<Child>,
}

/// What is run, and how it is told that it is up.
struct Program {
    command: Vec<String>,
    url: String,
    user: Option<&'static str>,
    ready: fn(&Server) -> bool,
    /// The signals that stop it, as an operator would, and that end it at once, where its data are not needed any more.
    stop: &'static str,
    end: &'static str,
}

/// A Redis server of this test process, shared by its tests.
pub fn redis() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(start_redis)
}

/// A PostgreSQL server of this test process, shared by its tests.
pub fn postgres() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(start_postgres)
}

/// A MariaDB server of this test process, shared by its tests.
pub fn mariadb() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(start_mariadb)
}

/// A Redis Cluster of this test process, shared by its tests.
pub fn redis_cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| start_redis_cluster(Duration::from_secs(15)))
}

/// The counter on the FastAPI system's sessions, with the Redis server that the tests share.
pub fn fastapi() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| start_fastapi(redis()))
}

/// A Redis server of the caller's own.
pub fn start_redis() -> Server {
    start_redis_with(&[])
}

/// A Redis server of the caller's own, with further options.
pub fn start_redis_with(options: &[&str]) -> Server {
    let program = installed("redis-server", &["/usr/bin"]);
    let folder = temporary_folder("redis");
    let mut command = strings(&[&program, "--bind", "127.0.0.1", "--save", "", "--port", PORT, "--dir", &path(&folder)]);
    command.extend(strings(options));
    // Its log, too: another server may have its port, and answer.
    let ready = |server: &Server| server.log_says("Ready to accept connections") && server.says("PING\r\n", "+PONG");
    let url = format!("redis://127.0.0.1:{PORT}/");
    Server::start(Program { command, url, user: None, ready, stop: "TERM", end: "KILL" }, folder)
}

/// A Redis server of the caller's own that speaks TLS as well, on the port beside it; if wished, it is a cluster of one. Its
/// certificate, for `localhost` and 127.0.0.1, is of an authority that nobody knows, which is in its folder as `ca.pem`.
pub fn start_redis_tls(in_cluster: bool) -> (Server, u16) {
    start_redis_tls_that(in_cluster, false)
}

/// The same, which asks its clients for a certificate of that authority; `client.pem` and `client.key` beside it are one.
pub fn start_redis_mutual_tls(in_cluster: bool) -> (Server, u16) {
    start_redis_tls_that(in_cluster, true)
}

fn start_redis_tls_that(in_cluster: bool, asks_clients: bool) -> (Server, u16) {
    let openssl = installed("openssl", &["/usr/bin"]);
    let folder = temporary_folder("tls");
    let file = |name: &str| path(&folder.join(name));
    let [ca, ca_key, certificate, key] = ["ca.pem", "ca.key", "server.pem", "server.key"].map(file);
    let [client, client_key] = ["client.pem", "client.key"].map(file);
    let new = |parts: &[&str]| {
        let common = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"];
        run(Command::new(&openssl).args(common).args(parts));
    };
    new(&["-subj", "/CN=an authority of the tests", "-keyout", &ca_key, "-out", &ca]);
    let names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
    let signed = ["-CA", &ca, "-CAkey", &ca_key, "-addext", names, "-addext", "basicConstraints=critical,CA:FALSE"];
    new(&[&signed[..], &["-subj", "/CN=localhost", "-keyout", &key, "-out", &certificate]].concat());
    new(&[&signed[..], &["-subj", "/CN=a client", "-keyout", &client_key, "-out", &client]].concat());
    let files = ["--tls-cert-file", &certificate, "--tls-key-file", &key, "--tls-ca-cert-file", &ca];
    let asks = if asks_clients { "yes" } else { "no" };
    let options = [&files[..], &["--tls-auth-clients", asks, "--tls-port", TLS_PORT]].concat();
    let server = if in_cluster {
        start_redis_cluster_of_one_with(&[&options[..], &["--tls-cluster", "yes"]].concat())
    } else {
        start_redis_with(&options)
    };
    for (from, to) in [(&ca, "ca.pem"), (&client, "client.pem"), (&client_key, "client.key")] {
        std::fs::rename(from, server.folder().join(to)).expect("the temporary folders are on one file system");
    }
    std::fs::remove_dir_all(&folder).expect("the server has read its files");
    let tls_port = server.ports[2].number;
    (server, tls_port)
}

/// A sentinel that watches a server by the name `shop`, and fails over when it is gone for a second.
pub fn start_redis_sentinel(watched: &Server) -> Server {
    let program = installed("redis-server", &["/usr/bin"]);
    let folder = temporary_folder("sentinel");
    let configuration = folder.join("sentinel.conf");
    let lines = format!(
        "sentinel monitor shop 127.0.0.1 {} 1\nsentinel down-after-milliseconds shop 1000\nsentinel failover-timeout shop 6000\n",
        watched.port()
    );
    std::fs::write(&configuration, lines).expect("the temporary folder is writable");
    let mut command = strings(&[&program, &path(&configuration), "--sentinel", "--bind", "127.0.0.1", "--port", PORT]);
    command.extend(strings(&["--dir", &path(&folder)]));
    let ready = |server: &Server| server.says("PING\r\n", "+PONG");
    let url = format!("redis://127.0.0.1:{PORT}/");
    Server::start(Program { command, url, user: None, ready, stop: "TERM", end: "KILL" }, folder)
}

/// A Redis Cluster of the caller's own that is one node.
pub fn start_redis_cluster_of_one() -> Server {
    start_redis_cluster_of_one_with(&[])
}

fn start_redis_cluster_of_one_with(options: &[&str]) -> Server {
    let server = start_redis_with(&[&["--cluster-enabled", "yes", "--cluster-port", BUS_PORT], options].concat());
    server.is_told("CLUSTER ADDSLOTSRANGE 0 16383");
    until(|| server.asks("CLUSTER INFO\r\n").contains("cluster_state:ok"), || server.log());
    server
}

/// The counter on the FastAPI system's sessions, in one process of the caller's own; its URL is that of its pages.
pub fn start_fastapi(redis: &Server) -> Server {
    // The system asks for a configuration and a database also where only its sessions are used.
    const ENVIRONMENT: [&str; 9] = [
        "DB_DRIVER=sqlite+aiosqlite",
        "DB_DATABASE=:memory:",
        "DB_POOL=True",
        "DB_HOST=",
        "DB_PORT=",
        "DB_USERNAME=",
        "DB_POOL_SIZE=",
        "DB_MAX_OVERFLOW=",
        "JWT_SECRET_KEY=not-used-here-but-asked-for-all-the-same",
    ];
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (python, app) = (root.join("target/fastapi/bin/python"), root.join("tests/engines/fastapi"));
    assert!(python.is_file(), "the FastAPI system is not installed, and this test needs it. Type: sudo tools/install-servers.sh");
    let folder = temporary_folder("fastapi");
    std::fs::write(folder.join("config.yaml"), "{}").expect("the temporary folder is writable");
    let mut command = strings(&["env", "--chdir", &path(&folder), "REDIS_HOST=127.0.0.1", "PYTHONDONTWRITEBYTECODE=1"]);
    command.push(format!("REDIS_PORT={}", redis.port()));
    command.extend(strings(&ENVIRONMENT));
    command.extend(strings(&[&path(&python), "-m", "uvicorn", "--no-access-log", "--app-dir", &path(&app), "app:app"]));
    command.extend(strings(&["--port", PORT]));
    let ready = |server: &Server| server.log_says("Uvicorn running on");
    let url = format!("http://127.0.0.1:{PORT}");
    Server::start(Program { command, url, user: None, ready, stop: "TERM", end: "KILL" }, folder)
}

/// A Redis Cluster of three masters and three replicas.
pub struct Cluster {
    /// The masters, as it starts, then a replica of each.
    pub nodes: Vec<Server>,
}

impl Cluster {
    /// The URL for `store::connect`, with a node of each half.
    pub fn url(&self) -> String {
        format!("redis+cluster://127.0.0.1:{},127.0.0.1:{}/", self.nodes[0].port(), self.nodes[4].port())
    }

    pub fn masters(&self) -> &[Server] {
        &self.nodes[..MASTERS]
    }

    fn is_up(&self) -> bool {
        let node_is_up = |node: &Server| node.asks("CLUSTER INFO\r\n").contains("cluster_state:ok");
        let replica_is_up = |node: &Server| node.asks("INFO replication\r\n").contains("master_link_status:up");
        self.nodes.iter().all(node_is_up) && self.nodes[MASTERS..].iter().all(replica_is_up)
    }
}

const MASTERS: usize = 3;

/// A Redis Cluster of the caller's own, in which a node that is not heard of for `node_timeout` counts as failed.
pub fn start_redis_cluster(node_timeout: Duration) -> Cluster {
    const SLOTS: usize = 16384;
    let timeout = node_timeout.as_millis().to_string();
    let cluster = ["--cluster-enabled", "yes", "--cluster-node-timeout", &timeout, "--cluster-port", BUS_PORT];
    // Unless told otherwise, a master waits five seconds for more replicas before it gives the first one what it has.
    let options = [&cluster[..], &["--repl-diskless-sync-delay", "0", "--enable-debug-command", "local"]].concat();
    // And a replica that has not won an election within 30 seconds, on a machine that stalls, never tries again.
    let options = [&options[..], &["--cluster-replica-validity-factor", "0"]].concat();
    let nodes: Vec<_> = (0..2 * MASTERS).map(|_| start_redis_with(&options)).collect();
    // Masters that begin with one epoch change it when they meet, and a replica whose master fails before it has heard of that is refused by the
    // others for ever ("Failover auth denied").
    for (number, node) in nodes.iter().enumerate() {
        node.is_told(&format!("CLUSTER SET-CONFIG-EPOCH {}", number + 1));
    }
    // Said again until it is done: a node that does not answer within the timeout is forgotten.
    let is_known = |node: &Server| {
        let said = nodes[0].asks("CLUSTER NODES\r\n");
        said.lines().any(|line| line.contains(&format!(":{}@", node.port())) && !line.contains("handshake"))
    };
    let meet = |node: &&Server| {
        nodes[0].is_told(&format!("CLUSTER MEET 127.0.0.1 {} {}", node.port(), node.ports[1].number));
    };
    until(|| nodes[1..].iter().filter(|node| !is_known(node)).inspect(meet).count() == 0, || nodes[0].log());
    for (number, master) in nodes[..MASTERS].iter().enumerate() {
        let (first, next) = (SLOTS * number / MASTERS, SLOTS * (number + 1) / MASTERS);
        master.is_told(&format!("CLUSTER ADDSLOTSRANGE {first} {}", next - 1));
    }
    for (master, replica) in nodes[..MASTERS].iter().zip(&nodes[MASTERS..]) {
        let said = master.asks("CLUSTER MYID\r\n");
        let id = said.lines().nth(1).expect("a node has an id");
        // Until it has heard of its master, it refuses.
        until(|| replica.asks(&format!("CLUSTER REPLICATE {id}\r\n")).starts_with("+OK"), || replica.log());
    }
    let cluster = Cluster { nodes };
    until(|| cluster.is_up(), || cluster.nodes[0].log());
    cluster
}

/// A PostgreSQL server of the caller's own, with one database.
pub fn start_postgres() -> Server {
    start_postgres_with(&[])
}

/// A PostgreSQL server of the caller's own, with further options.
pub fn start_postgres_with(options: &[&str]) -> Server {
    let initdb = installed("initdb", &[newest_postgres().as_str()]);
    postgres_whose_data(options, |data| {
        strings(&[&initdb, "--pgdata", data, "--username", "app", "--auth", "trust", "--no-sync", "--encoding", "UTF8"])
    })
}

/// A standby of a PostgreSQL server, which has all that it has and follows it.
pub fn start_postgres_standby(primary: &Server) -> Server {
    let base_backup = installed("pg_basebackup", &[newest_postgres().as_str()]);
    postgres_whose_data(&[], |data| {
        let from = format!("host=127.0.0.1 port={} user=app", primary.port());
        let how = ["--write-recovery-conf", "--checkpoint=fast", "--no-sync"];
        [strings(&[&base_backup, "--pgdata", data, "--dbname", &from]), strings(&how)].concat()
    })
}

/// `data` is the command that makes the folder which it is given.
fn postgres_whose_data(options: &[&str], data: impl FnOnce(&str) -> Vec<String>) -> Server {
    let program = installed("postgres", &[newest_postgres().as_str()]);
    let folder = temporary_folder("postgres");
    // PostgreSQL does not run as root.
    let user = is_root().then_some("postgres");
    if let Some(user) = user {
        run(Command::new("chown").arg(user).arg(&folder));
    }
    let folder_of_data = path(&folder.join("data"));
    run(&mut as_user(user, &data(&folder_of_data)));
    let data = folder_of_data;
    let mut command = strings(&[&program, "-D", &data, "-h", "127.0.0.1", "-p", PORT, "-k", &path(&folder)]);
    command.extend(strings(&["-c", "shared_preload_libraries=pg_stat_statements", "-c", "max_connections=200"]));
    // Nothing is synced, since it is the program that is killed, not the machine; and the time zone is far from UTC.
    command.extend(strings(&["-c", "fsync=off", "-c", "timezone=Pacific/Auckland"]));
    command.extend(strings(options));
    let ready = |server: &Server| server.log_says("ready to accept");
    let url = format!("postgres://app@127.0.0.1:{PORT}/postgres");
    // It waits for its clients on SIGTERM, and leaves shared memory behind on SIGKILL.
    Server::start(Program { command, url, user, ready, stop: "INT", end: "QUIT" }, folder)
}

/// A MariaDB server of the caller's own, with one database; or MySQL, where `TEST_MARIADBD` names a `mysqld`.
pub fn start_mariadb() -> Server {
    start_mariadb_with(&[])
}

/// The same, with further options.
pub fn start_mariadb_with(options: &[&str]) -> Server {
    let program = installed("mariadbd", &["/usr/sbin", "/usr/libexec"]);
    let folder = temporary_folder("mariadb");
    let user = is_root().then_some("mysql");
    if let Some(user) = user {
        run(Command::new("chown").arg(user).arg(&folder));
    }
    let data = format!("--datadir={}", path(&folder.join("data")));
    let install = if program.ends_with("mysqld") {
        strings(&[&program, "--no-defaults", "--initialize-insecure", &data])
    } else {
        let install = installed("mariadb-install-db", &["/usr/bin"]);
        strings(&[&install, "--no-defaults", &data, "--auth-root-authentication-method=normal", "--skip-test-db"])
    };
    // Servers that share a folder for temporary files take each other's.
    run(as_user(user, &install).env("TMPDIR", &folder));
    let accounts = folder.join("accounts.sql");
    let statements = "CREATE DATABASE IF NOT EXISTS app;\nCREATE USER IF NOT EXISTS app@'%' IDENTIFIED BY 'app';\n\
                      GRANT ALL ON *.* TO app@'%' WITH GRANT OPTION;\n";
    std::fs::write(&accounts, statements).expect("the temporary folder is writable");
    let socket = format!("--socket={}", path(&folder.join("socket")));
    let temporary = format!("--tmpdir={}", path(&folder));
    let (port_option, accounts) = (format!("--port={PORT}"), format!("--init-file={}", path(&accounts)));
    let mut command = strings(&[&program, "--no-defaults", &data, &temporary, &port_option, &socket, &accounts]);
    command.extend(strings(&["--bind-address=127.0.0.1", "--innodb-buffer-pool-size=64M", "--max-connections=200"]));
    // The file is written for each commit, and synced once a second: it is the program that is killed, not the machine.
    command.extend(strings(&["--innodb-flush-log-at-trx-commit=2", "--default-time-zone=+13:00"]));
    command.extend(strings(options));
    let ready = |server: &Server| server.log_says("ready for connections");
    let url = format!("mysql://app:app@127.0.0.1:{PORT}/app");
    Server::start(Program { command, url, user, ready, stop: "TERM", end: "KILL" }, folder)
}

/// A PgBouncer of the caller's own, in front of a PostgreSQL server; `settings` are lines of its configuration.
pub fn start_pgbouncer(postgres: u16, settings: &str) -> Server {
    let program = installed("pgbouncer", &["/usr/sbin"]);
    let folder = temporary_folder("pgbouncer");
    let user = is_root().then_some("postgres");
    if let Some(user) = user {
        run(Command::new("chown").arg(user).arg(&folder));
    }
    write_pgbouncer(&folder, postgres, settings);
    // Its port is known when it is started, and its file does not change then.
    let script = format!(
        "sed 's/^listen_port = .*/listen_port = '{PORT}'/' {0}/template >{0}/pgbouncer.ini && exec {program} {0}/pgbouncer.ini",
        path(&folder)
    );
    let command = strings(&["sh", "-c", &script]);
    let ready = |server: &Server| server.log_says("process up");
    let url = format!("postgres://app@127.0.0.1:{PORT}/postgres");
    Server::start(Program { command, url, user, ready, stop: "INT", end: "KILL" }, folder)
}

/// Whether PgBouncer can keep prepared statements apart, as it can from 1.21 on.
pub fn pgbouncer_keeps_statements() -> bool {
    let said = Command::new(installed("pgbouncer", &["/usr/sbin"])).arg("--version").output().expect("it says its version");
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    let version = said.split_whitespace().nth(1).expect("PgBouncer, its version");
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().expect("a number"));
    (numbers.next(), numbers.next()) >= (Some(1), Some(21))
}

fn write_pgbouncer(folder: &Path, postgres: u16, settings: &str) {
    let users = path(&folder.join("users"));
    let text = format!(
        "[databases]\npostgres = host=127.0.0.1 port={postgres} dbname=postgres\n[pgbouncer]\nlisten_addr = 127.0.0.1\n\
         listen_port = 0\nunix_socket_dir =\nauth_type = trust\nauth_file = {users}\n{settings}\n"
    );
    std::fs::write(folder.join("users"), "\"app\" \"\"\n").expect("the temporary folder is writable");
    std::fs::write(folder.join("template"), text).expect("the temporary folder is writable");
    std::fs::write(folder.join("backend"), postgres.to_string()).expect("the temporary folder is writable");
}

/// Gives a PgBouncer other settings while it runs.
pub fn reload_pgbouncer(server: &Server, settings: &str) {
    let postgres = std::fs::read_to_string(server.folder().join("backend")).expect("it was written at the start");
    write_pgbouncer(server.folder(), postgres.parse().expect("it is a port"), settings);
    let template = std::fs::read_to_string(server.folder().join("template")).expect("it was just written");
    let text = template.replace("listen_port = 0", &format!("listen_port = {}", server.port()));
    std::fs::write(server.folder().join("pgbouncer.ini"), text).expect("the temporary folder is writable");
    server.signal("HUP");
}

impl Server {
    fn start(program: Program, folder: PathBuf) -> Self {
        let mut server = Self { ports: claim_ports(), url: String::new(), program, folder, keeper: None };
        for _ in 0..TRIES {
            server.url = server.with_ports(&server.program.url);
            if server.comes_up() {
                return server;
            }
            server.ports = claim_ports();
        }
        panic!("the server finds its ports taken whichever they are: {}", server.log());
    }

    /// The text with the ports in place of what stands for them.
    fn with_ports(&self, text: &str) -> String {
        let ports = PORTS.iter().zip(&self.ports);
        ports.fold(text.to_owned(), |text, (name, port)| text.replace(name, &port.number.to_string()))
    }

    /// The URL to connect to.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same, with the name and password of an account, `name:password`.
    pub fn url_as(&self, account: &str) -> String {
        self.url.replacen("://", &format!("://{account}@"), 1)
    }

    /// The port on the loopback address.
    pub fn port(&self) -> u16 {
        self.ports[0].number
    }

    /// Where it keeps its data.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.started_as().expect("the server was started")
    }

    fn started_as(&self) -> Option<u32> {
        std::fs::read_to_string(self.folder.join("pid")).ok()?.trim().parse().ok()
    }

    /// Sends it a signal, such as `KILL`.
    pub fn signal(&self, signal: &str) {
        run(Command::new("kill").arg(format!("-{signal}")).arg(self.pid().to_string()));
    }

    /// Lets a node of [`start_redis_cluster`] fall silent, with its connections open. A signal that stops the process would be undone
    /// by the next one that lets all processes of the tests go on.
    pub fn falls_silent(&self) {
        use std::io::Write;

        let mut stream = TcpStream::connect(self.address()).expect("it is up");
        stream.write_all(b"DEBUG SLEEP 86400\r\n").expect("it is up");
    }

    /// Stops it as an operator would, and waits until it is gone. Its data stay.
    pub fn stop(&mut self) {
        std::fs::write(self.folder.join("keep"), "").expect("the temporary folder is writable");
        self.end();
        std::fs::remove_file(self.folder.join("keep")).expect("it was just written");
    }

    fn end(&mut self) {
        if let Some(mut keeper) = self.keeper.take() {
            drop(keeper.stdin.take());
            keeper.wait().expect("the shell ends");
        }
    }

    /// Kills it as a power failure would, and waits until it is gone. Its data stay.
    pub fn kill(&mut self) {
        self.signal("KILL");
        self.stop();
    }

    /// Starts it again, on the same ports and data. Where somebody has taken them meanwhile, it waits until they are let go.
    pub fn start_again(&mut self) {
        let start = Instant::now();
        while !self.comes_up() {
            assert!(start.elapsed() < PATIENCE, "the server's ports are taken: {}", self.log());
            thread::sleep(Duration::from_millis(100));
        }
    }

    /// Starts it, and waits until it is up; `false`, and it is stopped, where what it needs is taken.
    fn comes_up(&mut self) -> bool {
        // Goes on when its input ends: then it stops the server, first gently where its data are to stay.
        const KEEPER: &str = r#"
            folder=$1; stop=$2; end=$3; shift 3
            "$@" >"$folder/log" 2>&1 </dev/null &
            server=$!
            echo $server >"$folder/pid"
            read -r _
            [ -e "$folder/keep" ] || stop=$end
            kill -$stop $server 2>/dev/null
            kill -CONT $server 2>/dev/null
            (sleep 60 & trap "kill $!; exit" TERM; wait; kill -KILL $server 2>/dev/null) &
            wait $server
            kill $! 2>/dev/null
            [ -e "$folder/keep" ] || rm -rf "$folder"
        "#;
        assert!(self.keeper.is_none(), "the server runs");
        for of_the_last_time in ["pid", "log"] {
            let _ = std::fs::remove_file(self.folder.join(of_the_last_time));
        }
        let mut command = Command::new("sh");
        command.args(["-c", KEEPER, "sh"]).arg(&self.folder).args([self.program.stop, self.program.end]);
        let program: Vec<_> = self.program.command.iter().map(|part| self.with_ports(part)).collect();
        let run = as_user(self.program.user, &program);
        command.arg(run.get_program()).args(run.get_args());
        let keeper = command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        self.keeper = Some(keeper.expect("there is a shell"));
        let is_up = || self.folder.join("pid").exists() && (self.program.ready)(self);
        until(|| is_up() || self.has_ended(), || self.log());
        if !self.has_ended() {
            return true;
        }
        self.stop();
        let log = self.log();
        // Or the shared memory of a PostgreSQL that was killed, until the last of its processes has noticed.
        let is_taken = ["address already in use", "is still in use"].iter().any(|said| log.to_lowercase().contains(said));
        assert!(is_taken, "the server ends instead of coming up: {log}");
        false
    }

    /// Whether its process has come to its end, by proc(5): its parent, the shell, has not heard of it yet.
    fn has_ended(&self) -> bool {
        let Some(pid) = self.started_as() else { return false };
        let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
        stat.is_ok_and(|stat| stat.rsplit_once(") ").is_some_and(|(_, state)| state.starts_with('Z')))
    }

    /// What it wrote since it was started last.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn log_says(&self, words: &str) -> bool {
        self.log().contains(words) && TcpStream::connect(self.address()).is_ok()
    }

    fn says(&self, question: &str, answer: &str) -> bool {
        self.asks(question).starts_with(answer)
    }

    /// What a server that speaks in lines, as Redis does, answers at once; nothing where it does not.
    fn asks(&self, question: &str) -> String {
        ask(self.address(), question).unwrap_or_default()
    }

    fn is_told(&self, command: &str) {
        let said = self.asks(&format!("{command}\r\n"));
        assert!(said.starts_with("+OK"), "{command}: {said}");
    }

    fn address(&self) -> SocketAddr {
        SocketAddr::from((Ipv4Addr::LOCALHOST, self.port()))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
        // Where it was stopped before, or did not come up, the shell has left it.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Waits until it is up, or panics with its log.
fn until(is_up: impl Fn() -> bool, log: impl Fn() -> String) {
    let start = Instant::now();
    while !is_up() {
        assert!(start.elapsed() < PATIENCE, "the server does not come up: {}", log());
        thread::sleep(Duration::from_millis(20));
    }
}

fn ask(address: SocketAddr, question: &str) -> Option<String> {
    use std::io::{ErrorKind, Read, Write};

    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(Duration::from_secs(30))).ok()?;
    stream.write_all(question.as_bytes()).ok()?;
    let mut answer = [0; 4096];
    let length = loop {
        match stream.read(&mut answer) {
            // Where this process was stopped for a while (see signal(7)).
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => break result.ok()?,
        }
    };
    Some(String::from_utf8_lossy(&answer[..length]).into_owned())
}

/// The path of a program, or a panic with the line that installs it.
pub fn installed(program: &str, folders: &[&str]) -> String {
    // Another one in its place, `TEST_REDIS_SERVER=/usr/bin/valkey-server` for example.
    let variable = format!("TEST_{}", program.to_uppercase().replace('-', "_"));
    if let Ok(other) = std::env::var(&variable) {
        assert!(Path::new(&other).is_file(), "{variable} names `{other}`, which is no file");
        return other;
    }
    let path = std::env::var("PATH").unwrap_or_default();
    let places = folders.iter().copied().chain(path.split(':')).map(|folder| Path::new(folder).join(program));
    match places.into_iter().find(|place| place.is_file()) {
        Some(place) => place.to_string_lossy().into_owned(),
        None => panic!("`{program}` is not installed, and this test needs it. Type: sudo tools/install-servers.sh"),
    }
}

/// Where Debian keeps the programs of the newest PostgreSQL that is installed.
fn newest_postgres() -> String {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.filter_map(|entry| entry.file_name().to_string_lossy().parse::<u32>().ok()).max();
    newest.map_or_else(|| "/usr/bin".to_owned(), |version| format!("/usr/lib/postgresql/{version}/bin"))
}

fn as_user(user: Option<&str>, command: &[String]) -> Command {
    let Some(user) = user else {
        let mut run = Command::new(&command[0]);
        run.args(&command[1..]);
        return run;
    };
    let mut run = Command::new("setpriv");
    run.args(["--reuid", user, "--regid", user, "--clear-groups", "--"]).args(command);
    run
}

fn run(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output().expect("there is `id`");
    output.stdout.starts_with(b"0")
}

/// A port that nobody listens on, and that nobody is given who asks here as long as this value lives, in another process either.
struct Port {
    number: u16,
    /// The claim to it: the servers speak TCP, so its namesake of UDP is free.
    _claim: UdpSocket,
}

fn claim_ports() -> [Port; PORTS.len()] {
    PORTS.map(|_| Port::claim())
}

impl Port {
    fn claim() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        // Those of the system's own choice are taken at any time, by whoever connects to something or asks for any port.
        let chosen = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
        let mut chosen = chosen.split_whitespace().map_while(|port| port.parse().ok());
        let chosen = chosen.next().unwrap_or(32768)..=chosen.next().unwrap_or(60999);
        let mut ports: Vec<u16> = (10_000..=u16::MAX).filter(|port| !chosen.contains(port)).collect();
        if ports.len() < 1000 {
            ports = (10_000..=u16::MAX).collect();
        }
        // Each process begins elsewhere.
        let first = 101 * std::process::id() as usize;
        let free = ports.iter().find_map(|_| {
            let number = ports[(first + NEXT.fetch_add(1, Ordering::Relaxed)) % ports.len()];
            let claim = UdpSocket::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
            TcpListener::bind((Ipv4Addr::LOCALHOST, number)).ok()?;
            Some(Self { number, _claim: claim })
        });
        free.expect("there is a free port")
    }
}

/// A new folder that everybody may enter.
pub fn temporary_folder(name: &str) -> PathBuf {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let count = COUNT.fetch_add(1, Ordering::Relaxed);
    let folder = std::env::temp_dir().join(format!("session-{name}-{}-{count}", std::process::id()));
    std::fs::create_dir_all(&folder).expect("the temporary folder is writable");
    folder
}

fn path(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn strings(parts: &[&str]) -> Vec<String> {
    parts.iter().map(|part| (*part).to_owned()).collect()
}
