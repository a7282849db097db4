//! The mistakes that an attribute finds, and how they are said.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote};
use syn::Error;

use super::Role;

/// The mistakes that were found, in the order in which they stand in the source.
#[derive(Default)]
pub(super) struct Errors(Vec<Error>);

impl Errors {
    pub(super) fn push(&mut self, error: Error) {
        self.0.push(error);
    }

    /// This one alone: the others are of the same mistake.
    pub(super) fn replace(&mut self, error: Error) {
        self.0 = vec![error];
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Where the function is left out by `cfg`, so are its errors.
    pub(super) fn into_tokens(self, cfg: &[syn::Attribute]) -> TokenStream {
        self.0
            .into_iter()
            .flatten()
            .map(|error| {
                let error = error.into_compile_error();
                quote!(#(#cfg)* #error)
            })
            .collect()
    }
}

/// "a session id callback .. ", and the documented signature.
pub(super) fn wrong(role: Role, span: Span, is: &str) -> Error {
    Error::new(span, format!("{} {is}\n= note: the signature is {}", role.noun(), role.signature()))
}

pub(super) fn wrong_at(role: Role, tokens: impl ToTokens, is: &str) -> Error {
    Error::new_spanned(tokens, format!("{} {is}\n= note: the signature is {}", role.noun(), role.signature()))
}
