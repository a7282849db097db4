#!/usr/bin/env bash
# Each feature of session-runtime builds alone, without a warning, and so does none of them. (All of them together are what the tests are built with.)
set -euo pipefail
cd "$(dirname "$0")/.."

for feature in "" redis sqlite postgres mysql tower-sessions encoding tls; do
  printf '   session-runtime with %s\n' "${feature:-no feature}"
  cargo clippy --quiet --package session-runtime --lib --no-default-features --features "$feature" -- -D warnings
done
