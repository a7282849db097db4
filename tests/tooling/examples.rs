//! The examples do what their first lines say.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Once;

use crate::support::wire::exchange_with;

/// A running example, which is ended when the test is.
struct Example {
    process: Child,
    address: String,
    /// The cookie jar: name and value.
    jar: Vec<(String, String)>,
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
        let build = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--workspace", "--exclude", "benchmarks", "--examples"])
            .status();
        assert!(build.unwrap().success());
    });
    let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
    let mut program = Command::new(target.join("debug/examples").join(name));
    program.env("PORT", "0").env_remove("SESSION_STORE");
    program
}

impl Example {
    fn run(name: &str) -> Self {
        let mut process = program(name).stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("listening on http://").unwrap().to_owned();
        Self { process, address, jar: Vec::new() }
    }

    async fn get(&mut self, path: &str) -> Answer {
        self.send("GET", path, "").await
    }

    async fn post(&mut self, path: &str) -> Answer {
        self.send("POST", path, "").await
    }

    async fn send(&mut self, method: &str, path: &str, headers: &str) -> Answer {
        let pairs: Vec<_> = self.jar.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let cookie = if pairs.is_empty() { String::new() } else { format!("cookie: {}\r\n", pairs.join("; ")) };
        let text = exchange_with(&self.address, method, path, &format!("{headers}{cookie}")).await;
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
    for name in ["quickstart", "counter"] {
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
