//! Cargo, as a test runs it.

use std::env;
use std::process::Command;

/// Cargo without what it tells the programs that it runs, of which this is one: a dependency whose build script looks at that (ring's does) would be
/// built once more, and all that stands on it.
pub fn cargo() -> Command {
    let mut cargo = Command::new(env!("CARGO"));
    for (name, _) in env::vars_os() {
        let is_told = name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_"));
        if is_told {
            cargo.env_remove(name);
        }
    }
    cargo
}
