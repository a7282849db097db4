//! Tokens whose errors land where the user looks, and whose names are the macro's own.

use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree};
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

/// A type or path as a user writes it, for errors.
pub(super) fn written(tokens: &TokenStream) -> String {
    let mut text = String::new();
    write(tokens.clone(), &mut text);
    text
}

fn write(tokens: TokenStream, text: &mut String) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::None => ("", ""),
                };
                text.push_str(open);
                write(group.stream(), text);
                text.push_str(close);
            }
            TokenTree::Punct(punct) => {
                text.push(punct.as_char());
                if matches!(punct.as_char(), ',' | ';') {
                    text.push(' ');
                }
            }
            TokenTree::Ident(_) | TokenTree::Literal(_) => {
                if text.ends_with(|last: char| last.is_alphanumeric() || last == '_') {
                    text.push(' ');
                }
                text.push_str(&token.to_string());
            }
        }
    }
}
