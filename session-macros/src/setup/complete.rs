//! The pieces for an editor: the type, and an expression for each name and value, in a macro that the compiler sees as nothing. They have the
//! same shape however much of the input is typed, and stand first, so that a token is found where it was before one more letter:
//! behind the last option stands the place of the next.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::quote;

use super::options::{self, Constant, Kind};
use super::parse::{Piece, Pieces};
use super::tokens::KratePath;

pub(super) fn completion(pieces: &Pieces) -> TokenStream {
    let Pieces { krate, data, options, .. } = pieces;
    let krate = krate.at(Span::call_site());
    let options = options.iter().map(|piece| option(krate, data, piece));
    let data = without_brackets(data, pieces.data_is_type);
    quote! {
        #krate::__complete! { let _: #data; #(#options)* #krate::macro_support::Options::NONE; (); }
    }
}

/// A type that is half typed, without the brackets around it.
fn without_brackets(data: &TokenStream, is_type: bool) -> TokenStream {
    let is_bracket = |token: &TokenTree| matches!(token, TokenTree::Punct(punct) if matches!(punct.as_char(), '<' | '>'));
    data.clone().into_iter().filter(|token| is_type || !is_bracket(token)).collect()
}

fn option(krate: KratePath<'_>, data: &TokenStream, piece: &Piece) -> TokenStream {
    let Piece { name, value, .. } = piece;
    let name_hint = quote!(#krate::macro_support::Options::NONE.#name;);
    let value_hint = match options::find(&name.to_string()).map(|choice| &choice.kind) {
        Some(Kind::Data) => quote!(let _: #data = #value;),
        Some(Kind::Constant { is: Constant::Word { of, .. }, .. }) => {
            let of = quote::format_ident!("{of}");
            quote!(let _: #krate::#of = #krate::#of::#value;)
        }
        Some(Kind::Callback | Kind::Value | Kind::Constant { .. }) | None => quote!(let _ = #value;),
    };
    quote!(#name_hint #value_hint)
}
