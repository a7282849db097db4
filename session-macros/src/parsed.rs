//! Parsing with errors that the user finds: what is missing at the end is missed at the last token, not at the whole of the macro's call.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use syn::Error;
use syn::parse::{ParseStream, Parser as _};

/// What `parse` makes of all the tokens.
pub(crate) fn parsed<T>(tokens: TokenStream, parse: impl FnOnce(ParseStream<'_>) -> Result<T, Error>) -> Result<T, Error> {
    let last = tokens.clone().into_iter().last().map_or_else(Span::call_site, |token| token.span());
    let mut group = Group::new(Delimiter::Parenthesis, tokens);
    group.set_span(last);
    let within = |input: ParseStream<'_>| {
        let inside;
        syn::parenthesized!(inside in input);
        parse(&inside)
    };
    within.parse2(TokenTree::from(group).into())
}

/// Whether something is missing at the end.
pub(crate) fn is_at_end(error: &Error) -> bool {
    error.to_string().starts_with("unexpected end of input")
}
