#!/usr/bin/env bash
# Every check, one after the other. It ends at the first that fails.
#
#   ./test.sh         all of them, with the stores on real servers; installs what is missing (root on Debian): valgrind, Redis, PostgreSQL, MariaDB
#   ./test.sh quick   what needs neither root nor Debian nor a server: the library with the memory store, the macros, the docs
set -euo pipefail
cd "$(dirname "$0")"

step() {
  local started=$SECONDS
  printf '\n== %s\n' "$*"
  "$@"
  printf '   (%s s)\n' $((SECONDS - started))
}

case "${1:-}" in
  quick)
    skip=()
    if ! command -v valgrind >/dev/null; then
      printf 'valgrind is not installed: the instructions of a request are not counted\n'
      skip=(--skip a_request_executes_no_more_instructions)
    fi
    step cargo fmt --all --check
    step cargo clippy --workspace --exclude benchmarks --exclude forms --all-targets --quiet -- -D warnings
    step cargo test --workspace --exclude benchmarks --quiet -- "${skip[@]}"
    RUSTDOCFLAGS="-D warnings" step cargo doc --no-deps --quiet -p session-macros -p session-runtime
    ;;
  "")
    # Most tests of servers wait, for these and for time.
    export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$((2 * $(nproc)))}
    packages=(--workspace --exclude benchmarks)
    stores=(--features "all-stores,tls,session-runtime/tower-sessions")
    step tools/install-valgrind.sh
    step tools/install-servers.sh
    step cargo fmt --all --check
    # Not the forms that compile: they are written in every way there is.
    step cargo clippy "${packages[@]}" --exclude forms --all-targets --quiet "${stores[@]}" -- -D warnings
    # Everything is built once, with all the stores, but for the tests whose name begins with a `t`, which are run below: `tooling`.
    step cargo test "${packages[@]}" --quiet "${stores[@]}" --lib --test '[!t]*'
    step cargo test "${packages[@]}" --quiet "${stores[@]}" --doc
    # The compiler's messages are those that a user of the default features sees.
    step cargo test "${packages[@]}" --quiet --test 't*'
    step cargo test --quiet --manifest-path tests/tower-sessions/Cargo.toml --target-dir target
    RUSTDOCFLAGS="-D warnings" step cargo doc --no-deps --quiet -p session-macros -p session-runtime --all-features
    step cargo package --quiet --allow-dirty -p session-macros -p session-runtime
    ;;
  *)
    sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
printf '\nall checks passed (%s s)\n' $SECONDS
