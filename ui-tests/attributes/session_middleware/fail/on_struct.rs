use session_runtime::session_middleware;

struct Visit;

#[session_middleware(Visit)]
struct Middleware;

fn main() {}
