#![deny(warnings)]
use session_runtime::generate_session_id;

#[generate_session_id(crate = ::session_runtime)]
fn generate<T>() -> String {
    String::new()
}

fn main() {
    generate::<u8>();
}
