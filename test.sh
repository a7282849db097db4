#!/usr/bin/env bash
# Every check. It ends at the first that fails.
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

# A step beside the next ones, whose output follows when it is awaited.
beside() {
  output=$(mktemp)
  step "$@" >"$output" 2>&1 &
  job=$!
  # If another step fails first, this one still ends what it has started.
  trap await_beside EXIT
}

await_beside() {
  trap - EXIT
  local failed=0
  wait "$job" || failed=$?
  cat "$output"
  rm "$output"
  return "$failed"
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
    tests=("${packages[@]}" --quiet "${stores[@]}" --lib --test '[!t]*')
    step cargo test "${tests[@]}" --no-run
    # These wait more than they compute, and what is built meanwhile takes the place of nothing that they start.
    beside cargo test "${tests[@]}"
    step cargo test "${packages[@]}" --quiet "${stores[@]}" --doc
    step cargo test --quiet --manifest-path tests/tower-sessions/Cargo.toml --target-dir target
    RUSTDOCFLAGS="-D warnings" step cargo doc --no-deps --quiet -p session-macros -p session-runtime --all-features
    step cargo package --quiet --allow-dirty -p session-macros -p session-runtime
    await_beside
    # The compiler's messages are those that a user of the default features sees.
    step cargo test "${packages[@]}" --quiet --test 't*'
    ;;
  *)
    sed -n '2,5s/^# \{0,1\}//p' "$0" >&2
    exit 2
    ;;
esac
printf '\nall checks passed (%s s)\n' $SECONDS
