#!/usr/bin/env bash
# The docs as docs.rs builds them: every feature, each item with the feature that it takes, no broken link.
set -euo pipefail
cd "$(dirname "$0")/.."

# Badges of features are nightly's; this toolchain makes them when told so.
RUSTC_BOOTSTRAP=1 RUSTDOCFLAGS="--cfg docsrs -D warnings" \
  cargo doc --quiet --no-deps --package session-macros --package session-runtime --all-features
badges=$(grep -c "Available on.*crate feature" target/doc/session_runtime/store/struct.RedisStore.html || true)
[ "$badges" -gt 0 ] || { echo "RedisStore does not say that it takes the feature \`redis\`" >&2; exit 1; }
