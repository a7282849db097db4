use session_runtime::session_id_callback;

macro_rules! callback {
    ($request:ty, $answer:ty) => {
        #[session_id_callback]
        fn callback(_request: $request) -> $answer {
            unreachable!()
        }
    };
}

callback!(&mut String, u8);

fn main() {}
