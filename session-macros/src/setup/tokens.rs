//! Tokens whose errors land where the user looks, and whose names are the macro's own.

use proc_macro2::{Delimiter, Group, Ident, Literal, Span, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt as _, quote, quote_spanned};
use syn::Token;

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

/// The path of the runtime crate.
pub(super) struct Krate(Vec<TokenTree>);

impl Krate {
    pub(super) fn new(path: TokenStream) -> Self {
        Self(path.into_iter().collect())
    }

    /// At the place of `span`, resolved where it was.
    pub(super) fn at(&self, span: Span) -> KratePath<'_> {
        KratePath { krate: &self.0, span, module: None }
    }

    /// Its module for what the macros expand to, at the place of `span`.
    pub(super) fn support(&self, span: Span) -> KratePath<'_> {
        KratePath { krate: &self.0, span, module: Some("macro_support") }
    }
}

/// Its tokens are appended one by one, which is what costs least: each stream of tokens in another is a call of the compiler's.
#[derive(Clone, Copy)]
pub(super) struct KratePath<'a> {
    krate: &'a [TokenTree],
    span: Span,
    module: Option<&'static str>,
}

impl ToTokens for KratePath<'_> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        for token in self.krate {
            let mut token = token.clone();
            token.set_span(token.span().located_at(self.span));
            tokens.append(token);
        }
        if let Some(module) = self.module {
            let span = own(self.span);
            Token![::](span).to_tokens(tokens);
            tokens.append(Ident::new(module, span));
        }
    }
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
