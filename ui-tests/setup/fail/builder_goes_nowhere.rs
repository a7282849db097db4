//! A builder that goes nowhere, and a layer that it built.

#![deny(unused_must_use)]

use session_runtime::{ConfigError, SessionLayer};

#[derive(Clone, Default)]
struct Visit;

fn main() -> Result<(), ConfigError> {
    SessionLayer::<Visit>::builder().cookie_name("visit");
    SessionLayer::<Visit>::builder().build()?;
    Ok(())
}
