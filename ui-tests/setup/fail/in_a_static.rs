//! A layer in a static.

use session_runtime::{SessionLayer, session};

#[derive(Clone, Default)]
struct Visit;

static LAYER: SessionLayer<Visit> = session!(<Visit>);

fn main() {}
