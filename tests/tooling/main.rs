//! What comes with the library: the compiler's messages, completion in editors, the conformance kit, the examples, the README, and what a request costs.

#[path = "../support/cargo.rs"]
mod cargo;
mod completion;
mod conformance;
#[path = "../support/editor.rs"]
mod editor;
mod examples;
#[path = "../support/model.rs"]
mod model;
mod readme;
mod request_cost;
mod structure;
#[path = "../support/mod.rs"]
mod support;
mod ui;
