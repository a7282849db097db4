//! Tokens whose errors land where the user looks, and whose names are the macro's own.

use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenStream};
use quote::{quote, quote_spanned};

/// The macro's own names, at the place of `span`.
pub(super) fn own(span: Span) -> Span {
    Span::mixed_site().located_at(span)
}

/// Where the tokens start and where they end; at the macro's call if there are none.
pub(super) fn ends(tokens: &TokenStream) -> (Span, Span) {
    let mut spans = tokens.clone().into_iter().map(|token| token.span());
    let first = spans.next().unwrap_or_else(Span::call_site);
    (first, spans.last().unwrap_or(first))
}

/// A local of the macro's own.
pub(super) fn local(name: &str, span: Span) -> Ident {
    Ident::new(name, own(span))
}

/// The tokens, at the place of `span`, resolved where they were.
pub(super) fn located(tokens: &TokenStream, span: Span) -> TokenStream {
    tokens
        .clone()
        .into_iter()
        .map(|mut token| {
            token.set_span(token.span().located_at(span));
            token
        })
        .collect()
}

/// `function(arguments)` from the start of `at` to its end.
pub(super) fn call(function: &Ident, arguments: TokenStream, at: (Span, Span)) -> TokenStream {
    let mut function = function.clone();
    function.set_span(own(at.0));
    let mut arguments = Group::new(Delimiter::Parenthesis, arguments);
    arguments.set_span(own(at.1));
    quote!(#function #arguments)
}

/// The first field of the tuple `local`, from the start of `at` to its end.
pub(super) fn first_field(local: &Ident, at: (Span, Span)) -> TokenStream {
    let mut local = local.clone();
    local.set_span(own(at.0));
    let mut field = Literal::usize_unsuffixed(0);
    field.set_span(own(at.1));
    let dot = quote_spanned!(own(at.1)=> .);
    quote!(#local #dot #field)
}
