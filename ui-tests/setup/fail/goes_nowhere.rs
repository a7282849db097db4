//! A layer that goes nowhere.

#![deny(unused_must_use)]

use session_runtime::session;

#[derive(Clone, Default)]
struct Visit;

fn main() {
    session!(<Visit>);
}
