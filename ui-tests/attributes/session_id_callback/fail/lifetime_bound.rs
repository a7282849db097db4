//! A bound that always holds fixes the lifetime, too.

use axum::http::request::Parts;
use session_runtime::session_id_callback;

type Head<'r> = &'r mut Parts;

#[session_id_callback]
fn outlived<'r>(_request: &'r mut Parts)
where
    'static: 'r,
{
}

#[session_id_callback]
fn of_two<'r, 'other: 'r>(_request: &'r mut Parts) {}

#[session_id_callback]
async fn by_an_alias<'r>(_request: Head<'r>)
where
    'r: 'r,
{
}

fn main() {}
