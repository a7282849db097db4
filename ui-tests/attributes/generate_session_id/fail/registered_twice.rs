use session_runtime::generate_session_id;

struct Visit;

#[generate_session_id(Visit)]
fn first() -> String {
    String::new()
}

#[generate_session_id(Visit)]
fn second() -> String {
    String::new()
}

fn main() {}
