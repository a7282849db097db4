use axum::http::request::Parts;
use session_runtime::session_id_callback;

#[session_id_callback]
fn callback<'r>(_request: &'r mut Parts)
where
    'r: 'static,
{
}

fn main() {}
