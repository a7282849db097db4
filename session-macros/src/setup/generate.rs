//! The builder's methods, with values that are checked before:
//!
//! ```text
//! {
//!     const __SESSION_COOKIE_NAME: &str = "visit";
//!     const _: () = assert_cookie_name(__SESSION_COOKIE_NAME);
//!     let store = (MemoryStore::new(),);
//!     let data = Data::<Visit>::new();
//!     let default_data = Visit::initial_data();
//!     let start = (&&&&data).start();
//!     (start.finish)(start.builder.default_data(default_data).cookie_name(__SESSION_COOKIE_NAME).store(store.0) ..)
//! }
//! ```
//!
//! The user's expressions stand in no closure, and before the builder, so that they may await and return.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use super::model::{Given, Setup};
use super::options::{Check, Constant, Kind, OPTIONS};
use super::tokens::{call, ends, first_field, local, located, own};

pub(super) fn generate(setup: &Setup, completion: &TokenStream) -> TokenStream {
    let mut errors: Vec<_> = setup.errors.iter().map(syn::Error::to_compile_error).collect();
    let Some(data) = &setup.data else {
        return quote!({ #completion #(#errors)* });
    };
    // An error as the value, so that a `default_data` that could not be read is not missed once more.
    let unread = if setup.lost { errors.pop() } else { None };
    let twice = setup.twice.iter().map(|(first, again)| setup.given_twice(first, again));
    let constants = setup.options.iter().map(|given| setup.constant(given));
    let values = setup.options.iter().map(|given| value(given, data));
    let layer = setup.layer(data, unread);
    quote! {{
        #completion
        #(#errors)*
        #(#twice)*
        #(#constants)*
        #(#values)*
        #layer
    }}
}

impl Setup {
    fn private(&self, span: Span) -> TokenStream {
        let krate = located(&self.krate, span);
        quote_spanned!(own(span)=> #krate::__private)
    }

    /// A struct whose field is given twice: the compiler shows both places.
    fn given_twice(&self, first: &Ident, again: &Ident) -> TokenStream {
        let private = self.private(again.span());
        let first = quote_spanned!(own(first.span())=> #first: ());
        let again = quote_spanned!(own(again.span())=> #again: ());
        quote!(let _ = #private::Options { #first, #again, ..#private::Options::NONE };)
    }

    /// The constant that holds an option's value, and its check.
    fn constant(&self, given: &Given) -> TokenStream {
        let Kind::Constant { is, check } = &given.choice.kind else {
            return TokenStream::new();
        };
        let (name, value) = (constant_name(given), &given.value);
        let named = given.name.span();
        let private = self.private(named);
        let declared = match is {
            Constant::Text => quote_spanned!(own(named)=> const #name: &str = #value;),
            Constant::Flag => quote_spanned!(own(named)=> const #name: bool = #value;),
            Constant::Word { of, .. } => {
                let (krate, of) = (located(&self.krate, named), Ident::new(of, own(named)));
                quote_spanned!(own(named)=> const #name: #krate::#of = #value;)
            }
            Constant::Duration => {
                let converted = call(&local("to_duration", given.at.0), TokenStream::new(), given.at);
                quote_spanned!(own(named)=> const #name: #private::Duration = {
                    use #private::NoDuration as _;
                    #private::Value(#value).#converted
                };)
            }
        };
        let checked = check.as_ref().map(|check| self.check(given, check, &name));
        quote!(#declared #checked)
    }

    fn check(&self, given: &Given, check: &Check, value: &Ident) -> TokenStream {
        let private = self.private(given.at.0);
        let (function, arguments) = match check {
            Check::Named(function) => {
                let option = given.choice.name;
                (function, quote!(#option, #value))
            }
            Check::Beside(function, others) => {
                let others = others.iter().map(|other| self.constant_or_default(other));
                (function, quote!(#value #(, #others)*))
            }
        };
        let checked = call(&Ident::new(function, Span::mixed_site()), arguments, given.at);
        let function = Ident::new(function, own(given.at.0));
        quote_spanned!(own(given.at.0)=> const _: () = {
            use #private::#function;
            #checked
        };)
    }

    fn constant_or_default(&self, option: &str) -> TokenStream {
        if let Some(given) = self.options.iter().find(|given| given.choice.name == option) {
            let name = constant_name(given);
            return quote!(#name);
        }
        let private = self.private(Span::mixed_site());
        let name = local(&option.to_uppercase(), Span::mixed_site());
        quote!(#private::unless_given::#name)
    }

    /// The builder, the options, and the layer made of them.
    fn layer(&self, data: &TokenStream, unread: Option<TokenStream>) -> TokenStream {
        let at = ends(data).0;
        let private = self.private(at);
        let [data_type, start, default_data] = ["data", "start", "default_data"].map(|name| local(name, at));
        let start_method = local("start", at);
        let default = self.default_data(data, &default_data, unread);
        let options = self.options.iter().map(option);
        let registered = OPTIONS.iter().filter(|choice| matches!(choice.kind, Kind::Callback) && !self.is_given(choice.name));
        let registered = registered.map(|choice| {
            let role = local(choice.name, at);
            quote_spanned!(own(at)=> .#role((&&#data_type).#role()))
        });
        quote_spanned! {own(at)=>
            let #data_type = #private::Data::<#data>::new();
            #default
            let #start = {
                use #private::bounds::{DataIsWhole as _, DataMustBeClone as _, DataMustBeSend as _, DataMustBeSync as _};
                (&&&&#data_type).#start_method()
            };
            (#start.finish)({
                use #private::registered::{FindGenerate as _, FindMiddleware as _, FindSessionId as _, Standard as _};
                #start.builder.default_data(#default_data) #(#options)* #(#registered)*
            })
        }
    }

    /// `T::default()`, unless `default_data` is given, or may be.
    fn default_data(&self, data: &TokenStream, name: &Ident, unread: Option<TokenStream>) -> TokenStream {
        let at = ends(data).0;
        if self.is_given("default_data") {
            return unread.unwrap_or_default();
        }
        if let Some(unread) = unread {
            return quote_spanned!(own(at)=> let #name: #data = #unread;);
        }
        let private = self.private(at);
        quote_spanned!(own(at)=> let #name = <#data as #private::InitialData>::initial_data();)
    }

    fn is_given(&self, option: &str) -> bool {
        self.options.iter().any(|given| given.choice.name == option)
    }
}

/// The value of an option that is no constant. A tuple keeps it from being a reference to what it borrows from.
fn value(given: &Given, data: &TokenStream) -> TokenStream {
    let (name, value) = (local(given.choice.name, given.at.0), &given.value);
    match given.choice.kind {
        Kind::Data => quote_spanned!(own(given.at.0)=> let #name: #data = #value;),
        Kind::Callback | Kind::Value => quote_spanned!(own(given.at.0)=> let #name = (#value,);),
        Kind::Constant { .. } => TokenStream::new(),
    }
}

/// The builder's method with the value.
fn option(given: &Given) -> TokenStream {
    let method = Ident::new(given.choice.name, own(given.name.span()));
    let argument = match given.choice.kind {
        Kind::Data => return TokenStream::new(),
        Kind::Callback | Kind::Value => first_field(&local(given.choice.name, given.at.0), given.at),
        Kind::Constant { .. } => {
            let name = constant_name(given);
            quote!(#name)
        }
    };
    quote_spanned!(own(given.name.span())=> .#method(#argument))
}

fn constant_name(given: &Given) -> Ident {
    local(&format!("__SESSION_{}", given.choice.name.to_uppercase()), given.at.0)
}
