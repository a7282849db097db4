//! The attributes that go on a callback: `parse` reads what stands there, `model` says what is wrong with it, `generate` asks the
//! compiler about the types and registers the function.
//!
//! 1. The user's function is emitted as it was given, its body unread, whatever is wrong: one mistake makes one error.
//! 2. What the tokens show is said here, at the token; what only the types show is said by the traits that the generated code
//!    names, at the type.
//! 3. All mistakes of a function are said at once.

mod arguments;
mod errors;
mod generate;
mod lifetimes;
mod model;
mod parse;
mod role;
mod types;

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::quote;
use syn::ext::IdentExt as _;

use errors::Errors;
pub(crate) use role::Role;

/// The expansion of `role`'s attribute with these `arguments` on this `item`.
pub(crate) fn expand(role: Role, arguments: TokenStream, item: TokenStream) -> TokenStream {
    let mut errors = Errors::default();
    let arguments = parse::arguments(role, arguments, &mut errors);
    let item = parse::item(role, item, &arguments.data, &mut errors);
    let generated = item.function.as_ref().map(|function| {
        let callback = model::callback(role, function, &arguments, &mut errors);
        generate::callback(role, &arguments, &callback, errors.is_empty())
    });
    let (tokens, cfg) = (item.tokens, item.cfg);
    let unread = item.is_no_rust.then(|| unread(role, &tokens));
    let errors = errors.into_tokens(&cfg);
    quote!(#tokens #generated #errors #unread)
}

/// Beside a function that cannot be read.
fn unread(role: Role, tokens: &TokenStream) -> TokenStream {
    let mut tokens = tokens.clone().into_iter().skip_while(|token| !matches!(token, TokenTree::Ident(word) if word == "fn"));
    let (Some(_), Some(TokenTree::Ident(name))) = (tokens.next(), tokens.next()) else { return TokenStream::new() };
    let hidden = Ident::new(&format!("__{}_{}", role.attribute(), name.unraw()), Span::call_site());
    let unless_refused = generate::unless_refused(role);
    quote!(fn #hidden() { #unless_refused })
}

#[cfg(test)]
mod tests;
