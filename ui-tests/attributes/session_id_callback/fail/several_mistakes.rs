use session_runtime::session_id_callback;

#[session_id_callback]
unsafe fn callback<T>(_request: &mut String, _second: u8) -> ! {
    panic!()
}

fn main() {}
