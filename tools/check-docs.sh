#!/usr/bin/env bash
# The docs as docs.rs builds them: every feature, each item with the feature that it takes, no broken link.
set -euo pipefail
cd "$(dirname "$0")/.."

# Badges of features are nightly's; this toolchain makes them when told so.
RUSTC_BOOTSTRAP=1 RUSTDOCFLAGS="--cfg docsrs -D warnings" \
  cargo doc --quiet --no-deps --package session-macros --package session-runtime --all-features
page=target/doc/session_runtime/store/type.RedisStore.html
grep -q "Available on.*crate feature" "$page" || { echo "RedisStore does not say that it takes the feature \`redis\` ($page)" >&2; exit 1; }
