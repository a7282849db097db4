//! A layer in a constant.

use session_runtime::{SessionLayer, session};

#[derive(Clone, Default)]
struct Visit;

const LAYER: SessionLayer<Visit> = session!(<Visit>);

fn main() {}
