#!/usr/bin/env bash
# Runs every check: format, lints, unit, integration, ui and doc tests, docs, packages; installs valgrind if it is missing. `./test.sh engines`
# installs the servers that are missing, and tests the stores of the engines as well.
set -euo pipefail
cd "$(dirname "$0")"

step() { printf '\n== %s\n' "$*"; "$@"; }

step tools/install-valgrind.sh
step cargo fmt --all --check
step cargo clippy --workspace --all-targets --quiet -- -D warnings
step cargo test --workspace --exclude benchmarks --quiet
RUSTDOCFLAGS="-D warnings" step cargo doc --no-deps --quiet -p session-runtime -p session-macros
step cargo package --quiet --allow-dirty -p session-macros -p session-runtime
if [ "${1:-}" = engines ]; then
  step tools/install-servers.sh
  step cargo test --features all-stores,tls --test engines
  step cargo test --manifest-path tests/tower-sessions/Cargo.toml --target-dir target/tower-sessions
fi
printf '\nall checks passed\n'
