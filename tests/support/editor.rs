//! An editor: rust-analyzer, spoken to by the language server protocol, on one file of a crate that depends on the runtime.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// It builds the crate's dependencies before it answers for the first time.
const PATIENCE: Duration = Duration::from_secs(600);
/// `ContentModified` and `ServerCancelled`: to be asked again.
const AGAIN: [i64; 2] = [-32_801, -32_802];

pub struct Editor {
    process: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    requests: u64,
    version: u64,
    file: String,
}

/// The rust-analyzer that `RUST_ANALYZER` names, or else the one on the `PATH`, if it runs.
pub fn installed() -> Option<PathBuf> {
    let program = std::env::var_os("RUST_ANALYZER").map_or_else(|| PathBuf::from("rust-analyzer"), PathBuf::from);
    let version = Command::new(&program).arg("--version").output();
    version.is_ok_and(|output| output.status.success()).then_some(program)
}

impl Editor {
    /// Opens a new crate in `folder`, and waits until it is read.
    pub fn open(program: &Path, folder: &Path) -> Self {
        write_crate(folder).expect("the folder can be written");
        let mut process = Command::new(program)
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("it ran a moment ago");
        let input = process.stdin.take().expect("piped");
        let output = BufReader::new(process.stdout.take().expect("piped"));
        let (sender, messages) = channel();
        thread::spawn(move || read_messages(output, &sender));

        let root = format!("file://{}", folder.display());
        let file = format!("{root}/src/lib.rs");
        let mut editor = Self { process, input, messages, requests: 0, version: 0, file };
        editor.start(&root, folder);
        editor
    }

    fn start(&mut self, root: &str, folder: &Path) {
        self.request(
            "initialize",
            &json!({
                "processId": std::process::id(),
                "rootUri": root,
                "capabilities": { "experimental": { "serverStatusNotification": true } },
                "initializationOptions": {
                    "cachePriming": { "enable": false },
                    "cargo": {
                        "extraEnv": { "CARGO_NET_OFFLINE": "true" },
                        // By its path: when it looks for the toolchain itself, it adds the component rust-src to it.
                        "sysroot": sysroot(),
                        "targetDir": folder.join("target"),
                    },
                    "checkOnSave": false,
                },
            }),
        );
        self.notify("initialized", &json!({}));
        let document = json!({ "uri": self.file, "languageId": "rust", "version": 0, "text": "" });
        self.notify("textDocument/didOpen", &json!({ "textDocument": document }));
        while self.next_message()["params"]["quiescent"] != true {}
    }

    /// What is offered at the `|` in `text`.
    pub fn completions(&mut self, text: &str) -> Vec<String> {
        let answer = self.ask("textDocument/completion", text);
        let items = answer["items"].as_array().or_else(|| answer.as_array()).cloned().unwrap_or_default();
        // `set_session_id(as SessionRequestExt)`, `vec!`
        let name = |label: &str| label.split(['(', '!']).next().unwrap_or_default().to_owned();
        items.iter().filter_map(|item| item["label"].as_str()).map(name).collect()
    }

    /// What is shown for the word with the `|` in `text`.
    pub fn hover(&mut self, text: &str) -> String {
        let answer = self.ask("textDocument/hover", text);
        answer["contents"]["value"].as_str().unwrap_or_default().to_owned()
    }

    /// The errors of `text` that the editor finds by itself.
    pub fn errors(&mut self, text: &str) -> Vec<String> {
        self.change(text);
        let answer = self.request("textDocument/diagnostic", &json!({ "textDocument": { "uri": self.file } }));
        let found = answer["items"].as_array().cloned().unwrap_or_default();
        found.iter().map(|error| error["message"].to_string()).collect()
    }

    fn ask(&mut self, method: &str, text: &str) -> Value {
        let (before, after) = text.split_once('|').expect("a caret");
        self.change(&format!("{before}{after}"));
        let line = before.matches('\n').count();
        let character = before.rsplit('\n').next().map_or(0, str::len);
        let position = json!({ "line": line, "character": character });
        self.request(method, &json!({ "textDocument": { "uri": self.file }, "position": position }))
    }

    fn change(&mut self, text: &str) {
        self.version += 1;
        let document = json!({ "uri": self.file, "version": self.version });
        self.notify("textDocument/didChange", &json!({ "textDocument": document, "contentChanges": [{ "text": text }] }));
    }

    fn request(&mut self, method: &str, params: &Value) -> Value {
        loop {
            self.requests += 1;
            let id = self.requests;
            self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }));
            let answer = loop {
                let message = self.next_message();
                if message["id"] == id && message.get("method").is_none() {
                    break message;
                }
            };
            match answer["error"]["code"].as_i64() {
                None => return answer["result"].clone(),
                Some(code) if AGAIN.contains(&code) => thread::sleep(Duration::from_millis(50)),
                Some(_) => panic!("{method}: {}", answer["error"]),
            }
        }
    }

    fn notify(&mut self, method: &str, params: &Value) {
        self.send(&json!({ "jsonrpc": "2.0", "method": method, "params": params }));
    }

    /// The next message; what the server asks for is answered with nothing.
    fn next_message(&mut self) -> Value {
        let message = self.messages.recv_timeout(PATIENCE).expect("rust-analyzer answers");
        if let (Some(id), Some(_)) = (message.get("id"), message.get("method")) {
            self.send(&json!({ "jsonrpc": "2.0", "id": id, "result": null }));
        }
        message
    }

    fn send(&mut self, message: &Value) {
        let body = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{body}", body.len()).expect("rust-analyzer listens");
        self.input.flush().expect("rust-analyzer listens");
    }
}

impl Drop for Editor {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Until the server ends.
fn read_messages(mut output: BufReader<ChildStdout>, sender: &Sender<Value>) {
    while let Ok(message) = read_message(&mut output) {
        if sender.send(message).is_err() {
            return;
        }
    }
}

fn read_message(output: &mut impl BufRead) -> io::Result<Value> {
    let mut length = 0;
    loop {
        let mut header = String::new();
        if output.read_line(&mut header)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match header.trim_end().split_once(": ") {
            Some(("Content-Length", bytes)) => length = bytes.parse().map_err(io::Error::other)?,
            Some(_) => {}
            None => break,
        }
    }
    let mut body = vec![0; length];
    output.read_exact(&mut body)?;
    serde_json::from_slice(&body).map_err(io::Error::other)
}

/// A crate of its own, not of the workspace that its folder lies in.
fn write_crate(folder: &Path) -> io::Result<()> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = format!(
        "[package]\nname = \"edited\"\nedition = \"2024\"\n\n[workspace]\n\n[dependencies]\naxum = \"0.8\"\n\
         session-runtime = {{ path = {:?} }}\n",
        workspace.join("session-runtime"),
    );
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::write(folder.join("src/lib.rs"), "")?;
    fs::copy(workspace.join("Cargo.lock"), folder.join("Cargo.lock")).map(drop)
}

fn sysroot() -> String {
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let output = Command::new(rustc).args(["--print", "sysroot"]).output().expect("rustc runs");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
