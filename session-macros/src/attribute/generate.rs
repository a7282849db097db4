//! The code beside the function: it asks the compiler about the types, and registers the function for data types.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::{ToTokens, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::{Ident, Path, Type};

use super::Role;
use super::model::{Asked, Callback};
use super::parse::Arguments;
use super::role::Bound;

/// `sound` is whether the tokens showed nothing wrong; else the types are asked about, and nothing more.
pub(super) fn callback(role: Role, arguments: &Arguments, callback: &Callback, sound: bool) -> TokenStream {
    if !sound && callback.asked.is_empty() {
        return TokenStream::new();
    }
    let imported = arguments.runtime.as_ref().map(|_| hidden_name(role, callback, "_runtime"));
    let code = Code { role, imported, data: &arguments.data, callback, sound };
    let import = arguments.runtime.as_ref().map(|runtime| code.import(runtime));
    let generated = match &*arguments.data {
        _ if !sound => code.only_asked(&TokenStream::new()),
        _ if callback.wrong_lifetime => code.only_named(),
        [] => code.checked(),
        [first, others @ ..] => code.registered(first, others),
    };
    quote!(#import #generated)
}

/// A name beside the function's that no other function's code has.
fn hidden_name(role: Role, callback: &Callback, what: &str) -> String {
    format!("__{}_{}{what}", role.attribute(), callback.name.unraw())
}

struct Code<'a> {
    role: Role,
    /// The runtime's items, imported under this name where the path of the runtime is given.
    imported: Option<String>,
    data: &'a [Type],
    callback: &'a Callback,
    sound: bool,
}

impl Code<'_> {
    /// The runtime's items by the path that is given, which is named here alone: one that is wrong makes one error.
    fn import(&self, runtime: &Path) -> TokenStream {
        let attributes = &self.callback.attributes;
        let last = ends(runtime).1;
        let imported = self.imported.as_ref().map(|name| Ident::new(name, last));
        let items = quote_spanned!(last=> ::__private as #imported);
        quote! {
            #(#attributes)*
            use #runtime #items;
        }
    }

    /// The questions alone, each by itself.
    fn only_asked(&self, named: &TokenStream) -> TokenStream {
        let asked = self.callback.asked.iter().map(|asked| self.ask(asked, &quote!(())));
        self.hidden_function(&quote!(#named #(#asked;)*))
    }

    /// The questions, and whether the function can be named here.
    fn only_named(&self) -> TokenStream {
        let name = self.name();
        self.only_asked(&quote!(let _ = #name;))
    }

    /// Without a data type: the questions, and whether the whole is a callback.
    fn checked(&self) -> TokenStream {
        let erased = self.erased();
        self.hidden_function(&quote!(let _ = #erased;))
    }

    /// The first data type's impl asks and makes the callback, in which a middleware's `Session<T>` is compared with `Self`; the
    /// others' call that one.
    fn registered(&self, first: &Type, others: &[Type]) -> TokenStream {
        let registered = self.registration(first, &self.erased());
        let trait_path = self.registered_trait(first.span());
        let others =
            others.iter().map(|data| self.registration(data, &quote!(<#first as #trait_path>::register::<__Callback>())));
        quote!(#registered #(#others)*)
    }

    fn registration(&self, data: &Type, body: &TokenStream) -> TokenStream {
        let attributes = &self.callback.attributes;
        let span = at(data.span());
        let (registered, callback) = (self.registered_trait(data.span()), self.erased_type(span));
        let of_data = (self.role == Role::Middleware).then(|| quote_spanned!(span=> <Self>));
        quote_spanned! {span=>
            #(#attributes)*
            impl #registered for #data {
                fn register<__Callback>() -> #callback #of_data {
                    #body
                }
            }
        }
    }

    fn registered_trait(&self, span: Span) -> TokenStream {
        let name = match self.role {
            Role::SessionId => "RegisteredSessionId",
            Role::Generate => "RegisteredGenerate",
            Role::Middleware => "RegisteredMiddleware",
        };
        self.path(span, span, name)
    }

    fn erased_type(&self, span: Span) -> TokenStream {
        let name = match self.role {
            Role::SessionId => "SessionIdCallback",
            Role::Generate => "GenerateCallback",
            Role::Middleware => "Middleware",
        };
        self.path(span, span, name)
    }

    /// A function that nothing calls, beside the user's: an item that may stand wherever that one may. The questions are asked of
    /// its type parameter, so that the compiler says no more than their messages.
    fn hidden_function(&self, body: &TokenStream) -> TokenStream {
        let attributes = &self.callback.attributes;
        let name = Ident::new(&hidden_name(self.role, self.callback, ""), Span::call_site());
        quote! {
            #(#attributes)*
            fn #name<__Callback>() {
                #body
            }
        }
    }

    /// What the function becomes: the erased type, which holds a closure that captures nothing, so a function pointer. Patterns would
    /// take an item of the user's with the same name for a constant, hence the names.
    fn erased(&self) -> TokenStream {
        let span = at(self.callback.name.span());
        let callback = self.erased_type(span);
        // What is wrong with the whole is said of this one, so under the function's name and in the user's own code.
        let function = Ident::new("__function", self.callback.name.span());
        let asked = self.ask_all(&function);
        let local = |name: &str| Ident::new(name, Span::mixed_site().located_at(span));
        match self.role {
            Role::SessionId => {
                let (run, ask) = (self.path(span, span, "run_session_id"), local("__ask"));
                quote_spanned! {span=>
                    #callback::registered(|#ask| {
                        #asked
                        #run(#function, #ask)
                    })
                }
            }
            Role::Generate => {
                let (run, ask, name) = (self.path(span, span, "run_generate"), local("__ask"), self.name());
                quote_spanned! {span=>
                    #callback::registered(&#name, |#ask| {
                        #asked
                        #run(#function, #ask)
                    })
                }
            }
            Role::Middleware => {
                let run = self.path(span, span, "run_middleware");
                let [session, request, next] = ["__session_system", "__request", "__next"].map(local);
                quote_spanned! {span=>
                    #callback::registered(|#session, #request, #next| {
                        #asked
                        #run(#function, #session, #request, #next)
                    })
                }
            }
        }
    }

    /// The function's name, where it is used: the compiler offers no other name for it.
    fn name(&self) -> Ident {
        let mut name = self.callback.name.clone();
        name.set_span(at(name.span()));
        name
    }

    fn in_registration(&self) -> bool {
        self.sound && !self.callback.wrong_lifetime && !self.data.is_empty()
    }

    /// The function in a local, handed through all the questions: an answer that is wrong has no type, so that nothing is wrong
    /// after it.
    fn ask_all(&self, function: &Ident) -> TokenStream {
        let (span, name) = (at(function.span()), self.name());
        let asked = self.callback.asked.iter().map(|asked| {
            let passed = self.ask(asked, &function.to_token_stream());
            quote_spanned!(span=> let #function = #passed;)
        });
        quote_spanned!(span=> let #function = &#name; #(#asked)*)
    }

    /// `<Callback as Takes<Type>>::pass(inner)`, of the type parameter of the function around it. Both the call and the parameter reach
    /// from the type's first token to its last: the compiler's message then stands under the type, and stands there once, though
    /// the compiler finds the same mistake in `pass` and in what that returns.
    fn ask(&self, asked: &Asked, inner: &TokenStream) -> TokenStream {
        let Asked { ty, bound, is_now } = asked;
        let (first, last) = ends(ty);
        let asked = self.path(last, last, bound.name());
        let open = quote_spanned!(first=> <);
        let mut tokens = ty.to_token_stream().into_iter();
        let callback = if let (Some(TokenTree::Ident(_)), None) = (tokens.next(), tokens.next()) {
            quote_spanned!(last=> __Callback)
        } else {
            let itself = self.path(last, last, "Itself");
            quote_spanned!(last=> #open __Callback as #itself>::Itself)
        };
        let kind = match bound {
            Bound::TakesRequest | Bound::TakesWholeRequest | Bound::TakesNext => TokenStream::new(),
            // In the impl for its data type.
            Bound::TakesSession if self.in_registration() => quote_spanned!(last=> , Self),
            Bound::TakesSession => quote_spanned!(last=> , _),
            Bound::SetsId | Bound::FindsId | Bound::GeneratesId | Bound::Responds => {
                let kind = self.path(last, last, if *is_now { "InFuture" } else { "Direct" });
                quote_spanned!(last=> , #kind<_>)
            }
        };
        quote_spanned!(last=> #open #callback as #asked<#ty #kind>>::pass(#inner))
    }

    /// The path of one of the runtime's items, placed where it is used, from `first` to `last`: else the compiler's messages
    /// would stand at the attribute.
    fn path(&self, first: Span, last: Span, name: &str) -> TokenStream {
        let given = self.imported.as_ref().map(|imported| Ident::new(imported, at(first)).into_token_stream());
        let private = given.unwrap_or_else(|| quote_spanned!(first=> ::session_runtime::__private));
        let name = Ident::new(name, last);
        quote_spanned!(last=> #private::#name)
    }
}

/// The place of `span`, with the names of the attribute's.
fn at(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// The places of the first and the last token, also where a macro's `$ty:ty` wraps them up.
fn ends(tokens: impl ToTokens) -> (Span, Span) {
    let tokens = tokens.into_token_stream();
    let (first, last) = (tokens.clone().into_iter().next(), tokens.into_iter().last());
    (end(first, |inner| inner.into_iter().next()), end(last, |inner| inner.into_iter().last()))
}

fn end(mut token: Option<TokenTree>, inside: fn(TokenStream) -> Option<TokenTree>) -> Span {
    while let Some(TokenTree::Group(group)) = &token
        && group.delimiter() == Delimiter::None
    {
        token = inside(group.stream());
    }
    token.map_or_else(Span::call_site, |token| token.span())
}
