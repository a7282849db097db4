//! Wherever a function may stand, with whatever may stand on it.
#![deny(warnings)]

use axum::http::request::Parts;
use session_runtime::{SessionRequestExt, session_id_callback};

mod inner {
    use axum::http::request::Parts;

    #[session_runtime::session_id_callback]
    pub(super) fn restricted(_request: &mut Parts) {}
}

/// Documented.
#[session_id_callback]
#[must_use]
#[inline]
pub fn attributes_below(request: &Parts) -> Option<&str> {
    request.cookie("id")
}

#[cfg(not(any()))]
#[allow(clippy::needless_pass_by_ref_mut)]
#[session_id_callback]
pub fn attributes_above(_request: &mut Parts) {}

#[session_id_callback]
#[cfg(any())]
fn left_out(_request: &mut Missing) {}

#[session_id_callback]
#[cfg(any())]
unsafe fn left_out_with_a_mistake() {}

#[session_id_callback]
pub fn r#type(_request: &mut Parts) {}

#[session_id_callback]
#[expect(non_snake_case)]
pub fn CamelCase(_request: &mut Parts) {}

/// A function may have the name of what the generated code names.
#[session_id_callback]
pub fn request(_request: &mut Parts) {}

#[session_id_callback]
pub fn function(_request: &mut Parts) {}

#[session_id_callback()]
pub fn empty_arguments(_request: &mut Parts) {}

macro_rules! callback {
    ($name:ident, $request:ty) => {
        #[session_id_callback]
        pub fn $name(request: $request) {
            request.set_session_id("id");
        }
    };
}

callback!(from_a_macro, &mut Parts);

fn main() {
    #[session_id_callback]
    fn local(_request: &mut Parts) {}

    let _: [fn(&mut Parts); 2] = [local, inner::restricted];
}
