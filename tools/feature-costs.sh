#!/usr/bin/env bash
# What each feature costs whoever enables it: the crates that it adds to a minimal axum program, and the time of a clean `cargo check`
# and a clean release build, as ratios to the program without sessions. Beside them tower-sessions with its memory store.
#
#   tools/feature-costs.sh            crates and times (minutes for each line)
#   tools/feature-costs.sh crates     crates alone (seconds)
#
# Times are processor seconds, of all processors, which depend less than the clock's on what else the machine does; compare lines of
# one run. Crates count what is compiled for the program, itself, build scripts and procedural macros included, each version once.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
what=${1:-all}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
export CARGO_TARGET_DIR="$work/target"
unset RUSTFLAGS RUSTC_WRAPPER

# The program: its dependencies in $1, its items in $2, the layer that it adds in $3.
program() {
  mkdir -p "$work/app/src"
  # The versions that the project is tested with.
  cp "$root/Cargo.lock" "$work/app/Cargo.lock"
  cat >"$work/app/Cargo.toml" <<TOML
[package]
name = "app"
version = "0.0.0"
edition = "2024"

[workspace]

[dependencies]
axum = "0.8"
tokio = { version = "1", features = ["rt-multi-thread", "macros", "net"] }
serde = { version = "1", features = ["derive"] }
$1
TOML
  cat >"$work/app/src/main.rs" <<RUST
use axum::{Router, routing::get};
$2
#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let app = Router::new().route("/", get(page))$3;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    Ok(axum::serve(listener, app).await?)
}
RUST
}

bare() {
  program '' 'async fn page() -> String { "page 1".to_owned() }' ''
}

# The program with this crate: features in $1, the store in $2, further dependencies in $3.
ours() {
  local items='use session_runtime::{SessionData, SessionError, session};
#[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
struct Visit { pages: u32 }
async fn page(session: SessionData<Visit>) -> Result<String, SessionError> {
    session.update(|visit| { visit.pages += 1; format!("page {}", visit.pages) }).await
}'
  program "session-runtime = { path = \"$root/session-runtime\", features = [$1] }
${3:-}" "$items" ".layer(session!(<Visit>${2:+, store = $2}))"
}

peer() {
  program 'tower-sessions = "0.15"' 'use tower_sessions::{MemoryStore, Session, SessionManagerLayer, session::Error};
#[derive(Clone, Default, serde::Serialize, serde::Deserialize)]
struct Visit { pages: u32 }
async fn page(session: Session) -> Result<String, String> {
    let text = |error: Error| error.to_string();
    let mut visit: Visit = session.get("visit").await.map_err(text)?.unwrap_or_default();
    visit.pages += 1;
    session.insert("visit", &visit).await.map_err(text)?;
    Ok(format!("page {}", visit.pages))
}' '.layer(SessionManagerLayer::new(MemoryStore::default()))'
}

crates() {
  (cd "$work/app" && cargo tree --quiet --edges normal,build --prefix none --format '{p}' | sed 's/ (.*//' | sort -u | wc -l)
}

# Seconds of processor time that a command takes from an empty target folder.
seconds() {
  rm -rf "$CARGO_TARGET_DIR"
  local TIMEFORMAT='%U %S'
  { time (cd "$work/app" && "$@" >/dev/null 2>&1); } 2>&1 | awk '{ print $1 + $2 }'
}

bare_crates='' bare_check='' bare_build=''

# A line of the table, for the program that was just written.
measure() {
  local count check build
  count=$(crates)
  (cd "$work/app" && cargo fetch --quiet)
  : "${bare_crates:=$count}"
  if [ "$what" = crates ]; then
    printf '| %s | %d | %+d |\n' "$1" "$count" "$((count - bare_crates))"
    return
  fi
  check=$(seconds cargo check --quiet)
  build=$(seconds cargo build --release --quiet)
  : "${bare_check:=$check}" "${bare_build:=$build}"
  awk "BEGIN { printf \"| %s | %d | %+d | %.1f s | %.2f | %.1f s | %.2f |\n\", \"$1\", $count, $count - $bare_crates, \
    $check, $check / $bare_check, $build, $build / $bare_build }"
}

connect() {
  echo "session_runtime::store::connect(\"$1\").await?"
}

echo "$(nproc) processors, load $(cut -d' ' -f1 /proc/loadavg) at the start, $(rustc --version)"
if [ "$what" = crates ]; then
  printf '| program | crates | added |\n| --- | --- | --- |\n'
else
  printf '| program | crates | added | check | ratio | release build | ratio |\n| --- | --- | --- | --- | --- | --- | --- |\n'
fi
bare && measure 'axum alone'
ours '' '' && measure 'session-runtime, no feature'
peer && measure 'tower-sessions 0.15, memory store'
ours '"redis"' "$(connect redis://127.0.0.1/)" && measure '`redis`'
ours '"redis", "tls"' "$(connect rediss://127.0.0.1/)" && measure '`redis`, `tls`'
ours '"sqlite"' "$(connect sqlite::memory:)" && measure '`sqlite`'
ours '"postgres"' "$(connect postgres://127.0.0.1/)" && measure '`postgres`'
ours '"postgres", "tls"' "$(connect postgres://127.0.0.1/)" && measure '`postgres`, `tls`'
ours '"mysql"' "$(connect mysql://127.0.0.1/)" && measure '`mysql`'
ours '"tower-sessions"' 'session_runtime::store::TowerSessionsStore::new(tower_sessions_memory_store::MemoryStore::default())' \
  'tower-sessions-memory-store = "0.14"' && measure '`tower-sessions`, its memory store'
