use session_runtime::session_middleware;

#[session_middleware]
mod middleware {}

fn main() {}
