use std::rc::Rc;

use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback]
async fn callback(_request: Rc<Parts>) {
    std::future::ready(()).await;
}

fn main() {}
