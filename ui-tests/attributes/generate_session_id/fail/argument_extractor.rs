//! An extractor.

use axum::extract::State;
use session_runtime::generate_session_id;

#[generate_session_id]
fn generate(State(_seed): State<u64>) -> String {
    String::new()
}

fn main() {}
