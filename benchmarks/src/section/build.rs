//! What a library costs to build: crates, time, size, and the expansion of its macros.

mod app;
mod features;
mod macros;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use self::app::{APPS, BASE};
use super::{Settings, progress};
use crate::child;
use crate::report::{Must, Report};
use crate::servers::temporary_folder;
use crate::statistics::Spread;
use crate::table::{Table, thousands};

pub fn run(settings: Settings, report: &mut Report) {
    let folder = temporary_folder("build");
    let result = measure(&folder, settings.pick(3, 1), settings.pick(9, 3), report);
    let _ = fs::remove_dir_all(&folder);
    if let Err(error) = result {
        report.section("Cost to build", &format!("Not measured: {error}"));
    }
}

struct Costs {
    crates: usize,
    check: Vec<f64>,
    release: Vec<f64>,
    binary: u64,
}

fn measure(folder: &Path, rounds: usize, checks: usize, report: &mut Report) -> Result<(), String> {
    let mut packages = Vec::new();
    for app in &APPS {
        let package = Package::new(folder, app.name, app.dependencies, app.source)?;
        let crates = package.crates()?;
        packages.push((package, Costs { crates, check: Vec::new(), release: Vec::new(), binary: 0 }));
    }
    for round in 0..rounds {
        for (package, costs) in &mut packages {
            progress("build", format_args!("{}, round {} of {rounds}", package.name, round + 1));
            costs.check.push(package.clean_build(&["check"])?.as_secs_f64());
            costs.release.push(package.clean_build(&["build", "--release"])?.as_secs_f64());
            costs.binary = package.stripped_size()?;
        }
    }
    let expansion = macros::measure(folder, checks)?;
    let features = features::measure(folder, packages[0].1.crates)?;
    write(report, &packages, &format!("{features}\n{expansion}"), rounds);
    Ok(())
}

fn write(report: &mut Report, packages: &[(Package, Costs)], rest: &str, rounds: usize) {
    let base = &packages[0].1;
    let head =
        ["a minimal axum app with", "crates added", "clean check, s", "clean release build, s", "binary, KiB", "added, KiB"];
    let mut table = Table::new(head);
    for (package, costs) in packages {
        let spread = |times: &[f64]| Spread::of(times.iter().copied()).text(1);
        table.row([
            package.name.clone(),
            format!("{} (of {})", costs.crates - base.crates, costs.crates),
            spread(&costs.check),
            spread(&costs.release),
            thousands(costs.binary >> 10),
            thousands(costs.binary.saturating_sub(base.binary) >> 10),
        ]);
    }
    let of = |name: &str| packages.iter().find(|(package, _)| package.name == name).map(|(_, costs)| costs);
    if let Some((own, peer)) = of("session-runtime").zip(of("tower-sessions")) {
        let median = |times: &[f64]| Spread::of(times.iter().copied()).median;
        let count = |costs: &Costs| (costs.crates - base.crates) as f64;
        let seconds = |seconds: f64| format!("{seconds:.1}");
        report.goal("crates added, tower-sessions' less one", Must::AtMost, count(peer) - 1.0, count(own), |count| {
            format!("{count}")
        });
        report.goal("clean check, s, tower-sessions'", Must::AtMost, median(&peer.check), median(&own.check), seconds);
        report.goal(
            "clean release build, s, tower-sessions'",
            Must::AtMost,
            median(&peer.release),
            median(&own.release),
            seconds,
        );
    }
    let text = format!(
        "A program with one route that changes a session in memory, built from nothing, offline, with the versions of this repository's lock \
         file; {rounds} rounds in turn: median and quartiles. The crates are those of `cargo tree` without build and development \
         dependencies. The binary is a release build, stripped. session-runtime is built from this repository.\n\n{table}\n{rest}"
    );
    report.section("Cost to build", &text);
}

/// A generated package.
struct Package {
    name: String,
    folder: PathBuf,
}

impl Package {
    fn new(folder: &Path, name: &str, dependencies: &str, source: &str) -> Result<Self, String> {
        let folder = folder.join(name);
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let runtime = root.join("session-runtime").display().to_string();
        let dependencies = format!("{BASE}{dependencies}").replace("SESSION_RUNTIME", &runtime);
        let manifest = format!(
            "[package]\nname = \"app\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n{dependencies}\n\n\
             [profile.release]\nstrip = true\n\n[workspace]\n"
        );
        let write = |file: &str, text: &str| fs::write(folder.join(file), text).map_err(|error| format!("{file}: {error}"));
        fs::create_dir_all(folder.join("src")).map_err(|error| error.to_string())?;
        write("Cargo.toml", &manifest)?;
        write("src/main.rs", source)?;
        fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).map_err(|error| error.to_string())?;
        let package = Self { name: name.to_owned(), folder };
        package.cargo(&["fetch"])?;
        Ok(package)
    }

    /// How many crates the program is made of.
    fn crates(&self) -> Result<usize, String> {
        let tree = self.cargo(&["tree", "--offline", "--edges", "normal", "--prefix", "none", "--no-dedupe"])?;
        let mut crates: Vec<&str> =
            tree.lines().filter_map(|line| line.strip_suffix(" (*)").unwrap_or(line).split(" (").next()).collect();
        crates.sort_unstable();
        crates.dedup();
        Ok(crates.len())
    }

    fn clean_build(&self, command: &[&str]) -> Result<Duration, String> {
        let _ = fs::remove_dir_all(self.folder.join("target"));
        self.timed(command)
    }

    fn timed(&self, command: &[&str]) -> Result<Duration, String> {
        let start = Instant::now();
        let command: Vec<&str> = command.iter().copied().chain(["--offline", "--quiet"]).collect();
        self.cargo(&command)?;
        Ok(start.elapsed())
    }

    fn stripped_size(&self) -> Result<u64, String> {
        let binary = self.folder.join("target/release/app");
        fs::metadata(&binary).map(|data| data.len()).map_err(|error| format!("{}: {error}", binary.display()))
    }

    fn cargo(&self, arguments: &[&str]) -> Result<String, String> {
        let output = child::cargo()
            .args(arguments)
            .current_dir(&self.folder)
            .env("CARGO_TARGET_DIR", self.folder.join("target"))
            .env_remove("RUSTFLAGS")
            .output()
            .map_err(|error| error.to_string())?;
        if !output.status.success() {
            return Err(format!("cargo {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr)));
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }
}
