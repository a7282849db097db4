//! The examples do what their first lines say.

use std::io::{BufRead, BufReader};
use std::ops::{Deref, DerefMut};
use std::process::{Child, Command, Stdio};
use std::sync::Once;

use crate::cargo::cargo;
use crate::support::wire::exchange_body;

/// A running example, which is ended when the test is, and its first client.
struct Example {
    process: Child,
    client: Client,
}

/// A client of an example.
struct Client {
    address: String,
    /// The cookie jar: name and value.
    jar: Vec<(String, String)>,
}

impl Deref for Example {
    type Target = Client;

    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for Example {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

struct Answer {
    status: u16,
    body: String,
    set_cookies: Vec<String>,
}

/// The program of an example, which takes a free port.
fn program(name: &str) -> Command {
    // Cargo builds the examples with all the tests, but not with this one alone.
    static BUILD: Once = Once::new();
    BUILD.call_once(|| {
        // Of the same packages as the tests, else the dependencies have other features, and are built once more.
        let build = cargo().args(["build", "--quiet", "--workspace", "--exclude", "benchmarks", "--examples"]).status();
        assert!(build.unwrap().success());
    });
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    let mut program = Command::new(target.join("debug/examples").join(name));
    program.env("PORT", "0").env_remove("SESSION_STORE");
    program
}

impl Example {
    fn run(name: &str) -> Self {
        Self::run_with(name, &[])
    }

    fn run_with(name: &str, variables: &[(&str, &str)]) -> Self {
        let mut program = program(name);
        program.envs(variables.iter().copied());
        let mut process = program.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
        Self { process, client: Client { address, jar: Vec::new() } }
    }
}

impl Client {
    /// Another client of the same program.
    fn another(&self) -> Self {
        Self { address: self.address.clone(), jar: Vec::new() }
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, "").await
    }

    async fn post(&mut self, path: &str) -> Answer {
        self.send("POST", path, "").await
    }

    async fn post_form(&mut self, path: &str, fields: &str) -> Answer {
        self.send_body("POST", path, "content-type: application/x-www-form-urlencoded\r\n", fields).await
    }

    async fn send(&mut self, method: &str, path: &str, headers: &str) -> Answer {
        self.send_body(method, path, headers, "").await
    }

    async fn send_body(&mut self, method: &str, path: &str, headers: &str, body: &str) -> Answer {
        let pairs: Vec<_> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookie = if pairs.is_empty() { String::new() } else { format!("cookie: {}\r\n", pairs.join("; ")) };
        let text = exchange_body(&self.address, method, path, &format!("{headers}{cookie}"), body).await;
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let set_cookies: Vec<_> = head.lines().filter_map(|line| line.strip_prefix("set-cookie: ")).map(str::to_owned).collect();
        for cookie in &set_cookies {
            let (name, value) = cookie.split(';').next().unwrap().split_once('=').unwrap();
            self.jar.retain(|(kept, _)| kept != name);
            if !value.is_empty() {
                self.jar.push((name.to_owned(), value.to_owned()));
            }
        }
        Answer { status: head[9..12].parse().unwrap(), body: body.to_owned(), set_cookies }
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

#[tokio::test]
async fn quickstart() {
    let mut app = Example::run("quickstart");
    let first = app.get("/").await;
    assert_eq!(first.body, r#"{"username":"test_user","age":null}"#);
    assert_eq!(first.set_cookies.len(), 1);
    assert_eq!(app.post("/ada").await.body, r#""Updated""#);
    let then = app.get("/").await;
    assert_eq!((then.body.as_str(), then.set_cookies.len()), (r#"{"username":"ada","age":null}"#, 0));
}

#[tokio::test]
async fn counter() {
    let mut app = Example::run("counter");
    let first = app.get("/").await;
    assert_eq!((first.body.as_str(), first.set_cookies.len()), ("0", 0));
    assert_eq!(app.post("/rotate").await.status, 401);
    assert_eq!(app.post("/").await.body, "1");
    let id = app.jar.clone();
    assert_eq!(app.post("/rotate").await.status, 200);
    assert_ne!(app.jar, id);
    assert_eq!(app.post("/").await.body, "2");
    assert_eq!(app.get("/").await.body, "2");
    assert_eq!(app.post("/logout").await.status, 200);
    assert!(app.jar.is_empty());
    assert_eq!(app.get("/").await.body, "0");
    assert_eq!(app.post("/rotate").await.status, 401);
}

/// What they do with other stores is in the tests of the engines.
#[test]
fn a_store_that_cannot_be_had_ends_the_example_with_the_reason() {
    for name in ["quickstart", "counter", "account"] {
        for (url, reason) in [("redis://127.0.0.1", "takes the feature `redis`"), ("mongo://x", "no session store goes by")] {
            let output = program(name).env("SESSION_STORE", url).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && said.contains(reason), "{name} {url}: {said}");
        }
    }
}

#[tokio::test]
async fn callbacks() {
    let mut app = Example::run("callbacks");
    assert_eq!(app.get("/").await.body, "1 in the cart\n");
    let (_, id) = app.jar.pop().unwrap();
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    let bearer = app.send("GET", "/", &format!("authorization: Bearer {id}\r\n")).await;
    assert_eq!((bearer.body.as_str(), bearer.set_cookies.len()), ("2 in the cart\n", 0));
    app.jar.push(("SESSION_ID".to_owned(), id));
    assert_eq!(app.get("/").await.body, "3 in the cart\n");
    assert_eq!(app.post("/maintenance").await.body, "closed\n");
    assert_eq!(app.get("/").await.status, 503);
    assert_eq!(app.post("/maintenance").await.body, "open\n");
    assert_eq!(app.get("/").await.body, "4 in the cart\n");
}

#[tokio::test]
async fn two_sessions() {
    let mut app = Example::run("two_sessions");
    assert_eq!(app.get("/").await.body, "page 1\n");
    assert_eq!(app.get("/admin").await.status, 401);
    let login = app.post("/admin/login/ada").await;
    assert!(login.set_cookies[0].contains("ADMIN=") && login.set_cookies[0].contains("Path=/admin"));
    assert_eq!(app.get("/admin").await.body, "ada, who saw 1 page(s)\n");
    assert_eq!(app.post("/admin/logout").await.status, 200);
    assert_eq!(app.get("/admin").await.status, 401);
    assert_eq!(app.get("/").await.body, "page 2\n");
}

/// The values of a name in JSON, in their order.
fn values(json: &str, name: &str) -> Vec<String> {
    let name = format!("\"{name}\":");
    let parts = json.split(&name).skip(1);
    parts.map(|rest| rest.trim_start_matches('"').split(['"', ',', '}']).next().unwrap_or_default().to_owned()).collect()
}

#[tokio::test]
async fn account() {
    let mut laptop = Example::run_with("account", &[("OWNER_LIMIT", "2")]);
    let (mut phone, mut grace) = (laptop.another(), laptop.another());
    assert_eq!(laptop.get("/me").await.status, 401);
    assert_eq!(laptop.post("/cart/tea").await.body, r#"{"cart":["tea"]}"#);
    let guest = laptop.jar.clone();
    let wrong = laptop.post_form("/login", "name=ada&password=byron").await;
    assert_eq!((wrong.status, wrong.body.as_str()), (403, r#"{"error":"wrong name or password"}"#));
    assert_eq!(laptop.post_form("/login", "name=nobody&password=byron").await.status, 403);
    let login = laptop.post_form("/login", "name=ada&password=lovelace").await;
    assert_eq!((login.status, login.body.as_str()), (200, r#"{"user":"ada"}"#));
    assert_ne!(laptop.jar, guest, "a new id");
    assert_eq!(laptop.get("/me").await.body, r#"{"cart":["tea"],"role":"customer","user":"ada"}"#);

    // "Remember me", in JSON.
    let json = "content-type: application/json\r\nuser-agent: a phone\r\n";
    let login = phone.send_body("POST", "/login", json, r#"{"name":"ada","password":"lovelace","remember":"on"}"#).await;
    assert!(login.set_cookies[0].contains("Max-Age=2592000"), "{:?}", login.set_cookies);
    let devices = phone.get("/devices").await.body;
    assert_eq!(values(&devices, "current"), ["true", "false"], "{devices}");
    assert_eq!(values(&devices, "agent"), ["a phone", "unknown"]);
    let handles = values(&devices, "handle");

    // Another user cannot end it, and a third login ends the oldest.
    grace.post_form("/login", "name=grace&password=hopper").await;
    assert_eq!(grace.post(&format!("/devices/{}/end", handles[0])).await.status, 404);
    assert_eq!(grace.post("/devices/nonsense/end").await.status, 404);
    let mut third = laptop.another();
    third.post_form("/login", "name=ada&password=lovelace").await;
    assert_eq!(laptop.get("/me").await.status, 401);
    assert_eq!(phone.get("/me").await.status, 200);
    assert_eq!(third.post(&format!("/devices/{}/end", handles[0])).await.body, r#"{"ended":1}"#);
    assert_eq!(phone.get("/me").await.status, 401);

    // An administrator.
    assert_eq!(third.post("/admin/grace/role/customer").await.status, 403);
    assert_eq!(grace.post("/admin/ada/role/editor").await.body, r#"{"changed":1}"#);
    assert_eq!(values(&third.get("/me").await.body, "role"), ["editor"]);
    assert_eq!(grace.post("/admin/ada/end-all").await.body, r#"{"ended":1}"#);
    assert_eq!(third.get("/me").await.status, 401);
    let all = grace.post("/devices/end-all").await;
    assert_eq!((all.body.as_str(), grace.jar.len()), (r#"{"ended":1}"#, 0));
}

#[tokio::test]
async fn account_asks_for_the_password_again_before_it_changes() {
    let mut ada = Example::run_with("account", &[("FRESH", "0")]);
    let refused = ada.post_form("/password", "new=analytical").await;
    assert_eq!((refused.status, refused.body.as_str()), (401, r#"{"error":"not fresh"}"#));
    ada.post_form("/login", "name=ada&password=lovelace").await;
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let refused = ada.post_form("/password", "new=analytical").await;
    assert_eq!((refused.status, refused.body.as_str()), (401, r#"{"error":"not fresh"}"#));
    let id = ada.jar.clone();
    assert_eq!(ada.post_form("/confirm", "password=byron").await.status, 403);
    assert_eq!(ada.post_form("/confirm", "password=lovelace").await.status, 200);
    assert_ne!(ada.jar, id);

    let mut ada = Example::run("account");
    let mut other = ada.another();
    for client in [&mut *ada, &mut other] {
        client.post_form("/login", "name=ada&password=lovelace").await;
    }
    assert_eq!(ada.post_form("/password", "new=analytical").await.status, 200);
    assert_eq!(other.get("/me").await.status, 401);
    assert_eq!(other.post_form("/login", "name=ada&password=lovelace").await.status, 403);
    assert_eq!(other.post_form("/login", "name=ada&password=analytical").await.status, 200);
    assert_eq!(ada.post("/logout").await.status, 200);
    assert!(ada.jar.is_empty());
}

const ADA: &str = "name=ada&password=lovelace";
const JSON: &str = "content-type: application/json\r\n";
const FORM: &str = "content-type: application/x-www-form-urlencoded\r\n";

#[tokio::test]
async fn account_refuses_in_json_what_it_cannot_read() {
    let mut ada = Example::run("account");
    let large = format!("name={}", "a".repeat(3 << 20));
    for (method, path, headers, body, status) in [
        ("GET", "/nothing", "", "", 404),
        ("POST", "/cart/%ff", "", "", 400),
        ("GET", "/login", "", "", 405),
        ("POST", "/me", "", "", 405),
        ("GET", "/cart/tea", "", "", 405),
        ("DELETE", "/devices", "", "", 405),
        ("PUT", "/password", "", "", 405),
        ("POST", "/login", "", "", 422),
        ("POST", "/login", FORM, "name=ada", 422),
        ("POST", "/login", FORM, "password=lovelace", 422),
        ("POST", "/login", JSON, r#"{"name":"ada"}"#, 422),
        ("POST", "/login", JSON, r#"{"name":"ada","password":7}"#, 422),
        ("POST", "/login", JSON, r#"["ada","lovelace"]"#, 422),
        ("POST", "/login", JSON, "{", 422),
        ("POST", "/login", "content-type: text/plain\r\n", ADA, 422),
        ("POST", "/login", FORM, &large, 413),
    ] {
        let answer = ada.send_body(method, path, headers, body).await;
        let error: serde_json::Value = serde_json::from_str(&answer.body).unwrap_or_default();
        assert_eq!((answer.status, error["error"].is_string()), (status, true), "{method} {path} {body:.50}: {}", answer.body);
        assert!(answer.set_cookies.is_empty(), "{method} {path}");
    }
    // The letters of a content type are all the same (RFC 9110, section 8.3.1).
    let json = "content-type: Application/JSON; charset=utf-8\r\n";
    let login = ada.send_body("POST", "/login", json, r#"{"name":"ada","password":"lovelace"}"#).await;
    assert_eq!(login.status, 200, "{}", login.body);
    let missing = ada.post_form("/password", "").await;
    assert_eq!((missing.status, missing.body.as_str()), (422, r#"{"error":"the field `new` is missing"}"#));
}

/// Else it could log a visitor in as somebody whose cart it knows, or out.
#[tokio::test]
async fn account_does_not_let_another_site_log_a_visitor_in_or_out() {
    let mut ada = Example::run("account");
    assert_eq!(ada.post_form("/login", ADA).await.status, 200);
    for headers in [
        "sec-fetch-site: cross-site\r\n",
        // A subdomain may be somebody else's.
        "sec-fetch-site: same-site\r\n",
        "sec-fetch-site: cross-site\r\norigin: http://example.com\r\n",
        // Browsers that do not say it yet.
        "origin: https://example.org\r\n",
        "origin: http://example.com:81\r\n",
        "origin: null\r\n",
    ] {
        let mut visitor = ada.another();
        let login = visitor.send_body("POST", "/login", &format!("{headers}{FORM}"), ADA).await;
        let error: serde_json::Value = serde_json::from_str(&login.body).unwrap_or_default();
        assert_eq!((login.status, error["error"].is_string()), (403, true), "{headers}: {}", login.body);
        assert!(login.set_cookies.is_empty(), "{headers}");
        // Also where the browser sends the cookie.
        for path in ["/logout", "/devices/end-all", "/cart/tea"] {
            let answer = ada.send("POST", path, headers).await;
            assert_eq!((answer.status, answer.set_cookies.len()), (403, 0), "{headers}{path}: {}", answer.body);
        }
        assert_eq!(ada.send("GET", "/me", headers).await.status, 200, "{headers}");
    }
    for headers in [
        "sec-fetch-site: same-origin\r\norigin: http://example.com\r\n",
        "sec-fetch-site: none\r\n",
        "origin: http://example.com\r\n",
        // What ends TLS in front of it passes the host on.
        "origin: https://EXAMPLE.com\r\n",
    ] {
        let login = ada.another().send_body("POST", "/login", &format!("{headers}{FORM}"), ADA).await;
        assert_eq!(login.status, 200, "{headers}: {}", login.body);
    }
}

/// All of these logins wait for a processor one behind the other, some before the change and some behind it, and came while the old password was right.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn account_lets_nobody_stay_whose_login_raced_a_new_password() {
    let app = Example::run_with("account", &[("OWNER_LIMIT", "100")]);
    for (old, new) in [("lovelace", "analytical"), ("analytical", "engine"), ("engine", "notes")] {
        let fields = format!("name=ada&password={old}");
        let mut ada = app.another();
        assert_eq!(ada.post_form("/login", &fields).await.status, 200);
        let log_in = || {
            let (mut client, fields) = (app.another(), fields.clone());
            tokio::spawn(async move { (client.post_form("/login", &fields).await.status, client) })
        };
        let mut logins: Vec<_> = (0..8).map(|_| log_in()).collect();
        let change = tokio::spawn(async move { (ada.post_form("/password", &format!("new={new}")).await, ada) });
        logins.extend((0..8).map(|_| log_in()));
        let (changed, mut ada) = change.await.unwrap();
        assert_eq!(changed.status, 200, "{}", changed.body);
        for login in logins {
            let (status, mut client) = login.await.unwrap();
            assert!(status == 200 || status == 403, "{status}");
            assert_eq!(client.get("/me").await.status, 401, "after a login that was answered {status}");
        }
        assert_eq!(ada.get("/me").await.status, 200);
    }
}

/// A password's hash takes 19 MiB and a processor, and goes on when nobody waits for it any more.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn account_hashes_no_more_at_once_for_clients_that_hang_up() {
    use tokio::io::AsyncWriteExt;

    let app = Example::run("account");
    let threads = || {
        let status = std::fs::read_to_string(format!("/proc/{}/status", app.process.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("Threads:")).unwrap();
        line.trim().parse::<usize>().unwrap()
    };
    let before = threads();
    // As many hash at once as there are processors. A thread that has given its place away may still be about to wait for more work.
    let bound = before + 2 * std::thread::available_parallelism().unwrap().get() + 2;
    let request = format!("POST /login HTTP/1.1\r\nhost: example.com\r\ncontent-length: {}\r\n{FORM}\r\n{ADA}", ADA.len());
    for client in 0..300 {
        let mut socket = tokio::net::TcpStream::connect(&app.address).await.unwrap();
        socket.write_all(request.as_bytes()).await.unwrap();
        // What hangs up before its hash has begun has none.
        tokio::time::sleep(std::time::Duration::from_millis(1 + client % 8)).await;
        drop(socket);
        let now = threads();
        assert!(now <= bound, "{now} threads, of which there were {before}, after {client} clients that hung up");
    }
    // It is there for those who wait.
    assert_eq!(app.another().post_form("/login", ADA).await.status, 200);
}

#[test]
fn account_says_what_is_wrong_in_its_environment() {
    for (name, value) in [
        ("OWNER_LIMIT", "0"),
        ("OWNER_LIMIT", "five"),
        ("OWNER_LIMIT", ""),
        ("OWNER_LIMIT", "-1"),
        ("FRESH", "5m"),
        ("IDLE", "0"),
        ("IDLE", "99999999999"),
        ("REMEMBER", "0"),
        ("REMEMBER", "30d"),
        ("PORT", "http"),
        ("PORT", "65536"),
    ] {
        // One that starts would not end.
        let mut process = program("account").env(name, value).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let _ = process.kill();
        let output = process.wait_with_output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(line.is_empty() && said.contains(name) && said.contains(value), "{name}={value}: {line}{said}");
        // As a sentence, not as Rust writes a value.
        assert!(!said.contains('"') && said.trim().lines().count() == 1, "{name}={value}: {said}");
    }
}
