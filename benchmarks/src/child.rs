//! This program, run again: for figures that need a process of their own.

use std::env;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// What this program prints when it is run with these arguments.
pub fn output(arguments: &[&str]) -> String {
    let output = Command::new(this()).args(arguments).stderr(Stdio::inherit()).output().expect("this program runs");
    assert!(output.status.success(), "{arguments:?} failed");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

pub fn this() -> std::path::PathBuf {
    env::current_exe().expect("the path of this program")
}

/// Cargo, with the compiler beside it: some crates name another one in their folders, which a proxy would go by.
pub fn cargo() -> Command {
    let cargo = Path::new(env!("CARGO"));
    let mut command = Command::new(cargo);
    let rustc = cargo.with_file_name("rustc");
    if rustc.is_file() {
        command.env("RUSTC", rustc);
    }
    command
}

/// A child that serves until it is dropped: it ends when its input does.
pub struct Serving {
    child: Child,
    /// The first line that it printed.
    pub said: String,
}

impl Serving {
    /// # Errors
    ///
    /// When the child ends before it has printed a line.
    pub fn start(command: &mut Command) -> Result<Self, String> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(|error| format!("{command:?}: {error}"))?;
        let mut said = String::new();
        let output = child.stdout.take().expect("it is piped");
        if let Ok(1..) = BufReader::new(output).read_line(&mut said) {
            return Ok(Self { child, said: said.trim().to_owned() });
        }
        let _ = child.wait();
        Err(format!("{command:?} ended at once"))
    }
}

impl Serving {
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

/// The time that a process and all its threads have worked, in microseconds, to the tick (10 ms); zero where the system does not tell.
pub fn work_of(pid: u32) -> f64 {
    const MICROSECONDS_PER_TICK: f64 = 10_000.0;

    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name, in parentheses, may hold spaces.
    let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
    let ticks = |field: usize| fields.get(field).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) * MICROSECONDS_PER_TICK
}

impl Drop for Serving {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Ends this program when its input ends.
pub fn end_with_the_input() {
    std::thread::spawn(|| {
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        std::process::exit(0);
    });
}
