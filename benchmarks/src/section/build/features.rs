//! What each engine adds for those who enable it.

use std::path::Path;

use super::Package;
use crate::section::progress;
use crate::table::Table;

/// By name, what the program depends on beside axum and tokio.
const PROGRAMS: [(&str, &str); 7] = [
    ("session-runtime", "session-runtime = { path = \"SESSION_RUNTIME\" }"),
    ("session-runtime with `redis`", "session-runtime = { path = \"SESSION_RUNTIME\", features = [\"redis\"] }"),
    ("session-runtime with `sqlite`", "session-runtime = { path = \"SESSION_RUNTIME\", features = [\"sqlite\"] }"),
    ("session-runtime with `postgres`", "session-runtime = { path = \"SESSION_RUNTIME\", features = [\"postgres\"] }"),
    ("session-runtime with `mysql`", "session-runtime = { path = \"SESSION_RUNTIME\", features = [\"mysql\"] }"),
    ("tower-sessions 0.14 with its Redis store", "tower-sessions = \"0.14\"\ntower-sessions-redis-store = \"0.16\""),
    ("axum_session with its Redis pool", "axum_session = \"0.22\"\naxum_session_redispool = \"0.13\""),
];

pub fn measure(folder: &Path, crates_without: usize) -> Result<String, String> {
    let mut table = Table::new(["a minimal axum app with", "crates added", "clean check, s"]);
    for (index, (name, dependencies)) in PROGRAMS.into_iter().enumerate() {
        progress("build", name);
        let package = Package::new(folder, &format!("feature-{index}"), dependencies, "fn main() {}\n")?;
        let crates = package.crates()? - crates_without;
        let time = package.clean_build(&["check"])?;
        table.row([name.to_owned(), crates.to_string(), format!("{:.1}", time.as_secs_f64())]);
    }
    Ok(format!("Engines cost those who enable them (checked once each):\n\n{table}"))
}
