#!/usr/bin/env bash
# Installs what is missing (valgrind, and the servers that the stores' tests start), then runs every check: format, lints, unit, integration,
# ui and doc tests, docs, packages, and the tests of the stores on real servers. `./test.sh quick` leaves out what needs a server.
set -euo pipefail
cd "$(dirname "$0")"

step() { printf '\n== %s\n' "$*"; "$@"; }

stores=(--features "all-stores,tls,session-runtime/tower-sessions")

step tools/install-valgrind.sh
[ "${1:-}" = quick ] || step tools/install-servers.sh
step cargo fmt --all --check
step cargo clippy --workspace --all-targets --quiet -- -D warnings
step cargo clippy --workspace --all-targets --quiet "${stores[@]}" -- -D warnings
step cargo test --workspace --exclude benchmarks --quiet
step cargo test --quiet -p session-runtime --all-features
RUSTDOCFLAGS="-D warnings" step cargo doc --no-deps --quiet -p session-macros -p session-runtime --all-features
step cargo package --quiet --allow-dirty -p session-macros -p session-runtime
if [ "${1:-}" != quick ]; then
  step cargo test "${stores[@]}" --test engines
  step cargo test --manifest-path tests/tower-sessions/Cargo.toml --target-dir target/tower-sessions
fi
printf '\nall checks passed\n'
