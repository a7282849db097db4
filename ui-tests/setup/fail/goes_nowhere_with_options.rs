//! A layer that goes nowhere, with options.

#![deny(unused_must_use)]

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    session!(Visit, session_expire = 24h, secure = true);
}
