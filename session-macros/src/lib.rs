//! The macros of `session-runtime`. Use them from there: they are documented, with examples that run, where it re-exports them.
#![expect(missing_docs, reason = "documented where they are re-exported")]
#![cfg_attr(not(test), deny(clippy::indexing_slicing, reason = "a panic is shown to the user"))]

mod attribute;
#[cfg(test)]
mod contributing;
mod parsed;
#[cfg(test)]
mod random;
mod report;
mod setup;
mod written;

use proc_macro::TokenStream;

use attribute::Role;

#[proc_macro_attribute]
pub fn session_id_callback(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute(Role::SessionId, arguments, item)
}

#[proc_macro_attribute]
pub fn generate_session_id(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute(Role::Generate, arguments, item)
}

#[proc_macro_attribute]
pub fn session_middleware(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute(Role::Middleware, arguments, item)
}

#[proc_macro_attribute]
pub fn session_owner(arguments: TokenStream, item: TokenStream) -> TokenStream {
    attribute(Role::Owner, arguments, item)
}

fn attribute(role: Role, arguments: TokenStream, item: TokenStream) -> TokenStream {
    report::or_report(item.clone().into(), || attribute::expand(role, arguments.into(), item.into())).into()
}

/// What `session!` calls, with the path of the runtime in brackets before the user's input.
#[doc(hidden)]
#[proc_macro]
pub fn __session(input: TokenStream) -> TokenStream {
    report::or_report(proc_macro2::TokenStream::new(), || setup::session(input.into())).into()
}

/// The options of `session!` as the fields of a struct, for the runtime crate alone.
#[doc(hidden)]
#[proc_macro]
pub fn __options(_input: TokenStream) -> TokenStream {
    setup::options().into()
}
