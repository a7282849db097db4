#!/usr/bin/env bash
# The lowest versions of the direct dependencies that the manifests allow are enough: what a user gets whose lock file is old. Works on a copy.
set -euo pipefail
cd "$(dirname "$0")/.."

copy=$(mktemp -d)
trap 'rm -rf "$copy"' EXIT
# The two crates that are published, as a workspace of their own: what the tests depend on does not raise the versions.
cp -r session-macros session-runtime "$copy"
sed -i '/^\[dev-dependencies\]/,/^$/d' "$copy"/*/Cargo.toml
sed -e '/^# The root package/,$d' -e 's/^members = .*/members = ["session-macros", "session-runtime"]/' \
  -e '/^exclude = /d' -e '/^default-members = /d' \
  Cargo.toml >"$copy/Cargo.toml"
# Only the nightly cargo takes `-Z`; this one does when told so.
RUSTC_BOOTSTRAP=1 cargo update --quiet --manifest-path "$copy/Cargo.toml" -Z direct-minimal-versions
cargo check --quiet --manifest-path "$copy/Cargo.toml" --target-dir target/lowest --lib --package session-runtime --all-features
