//! From `macro_rules!` that hand over types, attributes, blocks, whole items and the path of the runtime.
#![deny(warnings)]
#![no_implicit_prelude]

mod facade {
    pub use ::session_runtime;
}

macro_rules! items {
    ($($item:item)*) => {$(
        #[::session_runtime::session_id_callback]
        $item
    )*};
}

macro_rules! pieces {
    ($(#[$meta:meta])* $vis:vis fn $name:ident($request:ident: $argument:ty) -> $returned:ty $body:block) => {
        $(#[$meta])*
        #[::session_runtime::session_id_callback]
        $vis fn $name($request: $argument) -> $returned $body
    };
}

macro_rules! registered {
    ($data:ty, $name:ident) => {
        #[::session_runtime::session_id_callback($data, crate = $crate::facade::session_runtime)]
        fn $name(_request: &mut ::axum::http::request::Parts) {}
    };
}

items! {
    pub fn sets(_request: &mut ::axum::http::request::Parts) {}
    pub async fn finds(request: &::axum::http::request::Parts) -> ::std::option::Option<&str> {
        ::session_runtime::SessionRequestExt::cookie(request, "id")
    }
}

pieces! {
    /// Documented.
    #[must_use]
    pub fn of_pieces(request: &::axum::http::request::Parts) -> ::std::option::Option<&str> {
        ::session_runtime::SessionRequestExt::cookie(request, "id")
    }
}

pub struct Visit;
registered!(Visit, of_a_macro);

#[cfg_attr(all(), ::session_runtime::session_id_callback)]
pub fn under_cfg_attr(_request: &mut ::axum::http::request::Parts) {}

#[::session_runtime::session_id_callback(crate = self::facade::session_runtime)]
pub fn by_a_relative_path<'r>(mut _request: &'r mut ::axum::http::request::Parts) {}

#[::session_runtime::session_id_callback]
pub fn r#async(#[allow(unused)] r#in: &mut ::axum::http::request::Parts) {}

fn main() {
    registered!(Local, in_a_body);
    struct Local;
    let _ = Local;
}
