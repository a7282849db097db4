use session_runtime::session_owner;

#[derive(Default)]
struct Visit {
    user: Option<u64>,
}

#[session_owner(Visit::default())]
fn called(visit: &Visit) -> Option<u64> {
    visit.user
}

#[session_owner(Visit { .. })]
fn taken_apart(visit: &Visit) -> Option<u64> {
    visit.user
}

fn main() {}
