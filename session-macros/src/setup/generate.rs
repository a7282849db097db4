//! The builder's methods, with values that are checked before:
//!
//! ```text
//! {
//!     const __SESSION_COOKIE_NAME: &str = "visit";
//!     const _: () = assert_cookie_name(__SESSION_COOKIE_NAME);
//!     let __store = (MemoryStore::new(),);
//!     (move || {
//!         let __asked = (&&&&&Data::<Visit>::NEW).__asked();
//!         __asked.__ask(Clone::clone, __asked.pointer);
//!         (__asked.start.finish)(
//!             __asked.start.builder.default_data_unless_given().cookie_name(__SESSION_COOKIE_NAME).store(__store.0.__value()) ..
//!         )
//!     })()
//! }
//! ```
//!
//! 1. The user's expressions stand before the closure, so that they may await and return. It makes one error of `session!` in a constant,
//!    where each call would be one.
//! 2. Names are such as no item or method of the user's has: a pattern takes an item of its name for a constant, and a trait that is in
//!    scope gives its methods to every type.
//! 3. A constant that names `Self`, or something in lower case that may be a constant or a local, cannot be an item: it is checked
//!    as the length of an array, of which the compiler says what keeps it from being constant.

use proc_macro2::{Group, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote, quote_spanned};

use super::constant::{self, Place};
use super::model::{Given, Setup};
use super::options::{Check, Constant, Kind, OPTIONS};
use super::tokens::{KratePath, call, ends, first_field, local, own};

pub(super) fn generate(setup: &Setup, completion: &TokenStream) -> TokenStream {
    let mut errors: Vec<_> = setup.errors.iter().map(syn::Error::to_compile_error).collect();
    let Some(data) = &setup.data else {
        // An error as the value, which has any type.
        let value = errors.pop();
        return quote!({ #completion #(#errors)* #value });
    };
    // An error as the value, so that a `default_data` that could not be read is not missed once more.
    let unread = if setup.lost { errors.pop() } else { None };
    let twice = setup.twice.iter().map(|(first, again)| setup.given_twice(first, again));
    let constants = setup.options.iter().map(|given| setup.constant(given));
    let owned = setup.registered_owner(data);
    let values = setup.options.iter().map(|given| setup.given_value(given, data));
    let layer = setup.layer(data, unread);
    let tokens = quote! {
        #completion
        #(#errors)*
        #(#twice)*
        #(#constants)*
        #owned
        #(#values)*
        #layer
    };
    // In the user's own place, so that the compiler says it where the layer goes nowhere.
    let mut block = Group::new(proc_macro2::Delimiter::Brace, tokens);
    block.set_span(ends(data).0);
    TokenTree::from(block).into()
}

impl Setup {
    fn private(&self, span: Span) -> KratePath<'_> {
        self.krate.support(span)
    }

    /// A struct whose field is given twice: the compiler shows both places.
    fn given_twice(&self, first: &Ident, again: &Ident) -> TokenStream {
        let private = self.private(again.span());
        let first = quote_spanned!(own(first.span())=> #first: ());
        let again = quote_spanned!(own(again.span())=> #again: ());
        quote!(let _ = #private::Options { #first, #again, ..#private::Options::NONE };)
    }

    /// A limit counts the sessions of an owner: where none is given, the data type has one that is registered.
    fn registered_owner(&self, data: &TokenStream) -> Option<TokenStream> {
        let limit = self.given("owner_limit")?.name.span();
        // What could not be read may have been the owner.
        if self.given("owner").is_some() || !self.errors.is_empty() {
            return None;
        }
        let private = self.private(limit);
        // By a path as long as the type: there the compiler says that it has no owner, and that it is not in scope, if it is not.
        let (first, last) = ends(data);
        let itself = self.private(first);
        let (open, close) = (quote_spanned!(own(first)=> #itself::Itself<), quote_spanned!(own(last)=> >));
        Some(quote_spanned!(own(limit)=> let _ = <#open #data #close as #private::RegisteredOwner>::register::<()>;))
    }

    /// The constant that holds an option's value, and its check.
    fn constant(&self, given: &Given) -> TokenStream {
        let Kind::Constant { is, check } = &given.choice.kind else {
            return TokenStream::new();
        };
        let (named, name) = (given.name.span(), constant_name(given));
        let (ty, value) = (self.constant_type(*is, named), self.constant_value(given, *is));
        let declared = match given.place {
            Place::Local => {
                let name = local_name(given);
                quote_spanned!(own(named)=> let #name: #ty = const { #value };)
            }
            Place::Item => quote_spanned!(own(named)=> const #name: #ty = #value;),
            Place::Inline => TokenStream::new(),
        };
        let checked = match check {
            // A positive number, or `true`.
            Some(_) if given.place == Place::Inline && !is_false(given) => TokenStream::new(),
            Some(check) => self.check(given, check),
            None if given.place == Place::Local => {
                let value = checked_value(given);
                self.in_an_array(given, &quote!(let _ = #value;))
            }
            None => TokenStream::new(),
        };
        quote!(#declared #checked)
    }

    /// By paths: a type of the user's may be called `str`.
    fn constant_type(&self, is: Constant, at: Span) -> TokenStream {
        let private = self.private(at);
        match is {
            Constant::Text => quote_spanned!(own(at)=> &'static #private::str),
            Constant::Flag => quote_spanned!(own(at)=> #private::bool),
            Constant::Count => quote_spanned!(own(at)=> #private::u32),
            Constant::Duration => quote_spanned!(own(at)=> #private::Duration),
            Constant::Word { of, .. } => {
                let (krate, of) = (self.krate.at(at), Ident::new(of, own(at)));
                quote_spanned!(own(at)=> #krate::#of)
            }
        }
    }

    fn constant_value(&self, given: &Given, is: Constant) -> TokenStream {
        let value = &given.value;
        if !matches!(is, Constant::Duration) {
            return value.clone();
        }
        let private = self.private(given.at.0);
        if given.place == Place::Inline {
            return quote_spanned!(own(given.at.0)=> #private::Duration::from_secs(#value));
        }
        let option = given.choice.name;
        let converted = call(&local("__to_duration", given.at.0), quote!(#option), given.at);
        quote_spanned!(own(given.at.0)=> {
            use #private::NoDuration as _;
            #private::Value(#value).#converted
        })
    }

    fn check(&self, given: &Given, check: &Check) -> TokenStream {
        let private = self.private(given.at.0);
        let (function, others): (_, &[&str]) = match check {
            Check::Named(function) => (function, &[]),
            Check::Beside(function, others) => (function, others),
        };
        let beside = others.iter().filter_map(|other| self.given(other));
        let is_local = beside.chain([given]).any(|given| given.place == Place::Local);
        let value = if given.place == Place::Local { checked_value(given).into_token_stream() } else { self.used(given) };
        let others = others.iter().map(|other| self.constant_or_default(other));
        let arguments = match check {
            Check::Named(_) => {
                let option = given.choice.name;
                quote!(#option, #value)
            }
            Check::Beside(..) => quote!(#value #(, #others)*),
        };
        let checked = call(&Ident::new(function, Span::mixed_site()), arguments, given.at);
        let function = Ident::new(function, own(given.at.0));
        let body = quote_spanned!(own(given.at.0)=> use #private::#function; #checked);
        if is_local {
            return self.in_an_array(given, &quote!(#body;));
        }
        quote_spanned!(own(given.at.0)=> const _: () = { #body };)
    }

    /// The statements as part of an array's length, where the value is `__value` if it is not an item. The length of an array's value may
    /// name a generic `Self`, of which a constant may still be known here; that of its type may not.
    fn in_an_array(&self, given: &Given, statements: &TokenStream) -> TokenStream {
        let span = own(given.at.0);
        let name = checked_value(given);
        let value = (given.place == Place::Local).then(|| self.local_constant(given));
        let value = value.map(|value| quote_spanned!(span=> let #name = #value;));
        let allowed = constant::has_self(&given.value).then(|| quote_spanned!(span=> #[allow(const_evaluatable_unchecked)]));
        quote_spanned!(span=> #allowed let _ = [(); { #value #statements 0 }];)
    }

    /// The value where it is constant, of its type.
    fn local_constant(&self, given: &Given) -> TokenStream {
        let Kind::Constant { is, .. } = &given.choice.kind else {
            return TokenStream::new();
        };
        let (named, name) = (given.name.span(), local_name(given));
        let (ty, value) = (self.constant_type(*is, named), self.constant_value(given, *is));
        quote_spanned!(own(named)=> { let #name: #ty = const { #value }; #name })
    }

    fn constant_or_default(&self, option: &str) -> TokenStream {
        match self.given(option) {
            Some(given) if given.place == Place::Local => self.local_constant(given),
            Some(given) => self.used(given),
            None => {
                let private = self.private(Span::mixed_site());
                let name = local(&option.to_uppercase(), Span::mixed_site());
                quote!(#private::unless_given::#name)
            }
        }
    }

    /// A constant where it is used.
    fn used(&self, given: &Given) -> TokenStream {
        match (given.place, &given.choice.kind) {
            (Place::Inline, Kind::Constant { is, .. }) => self.constant_value(given, *is),
            (Place::Local, _) => local_name(given).into_token_stream(),
            _ => constant_name(given).into_token_stream(),
        }
    }

    fn given(&self, option: &str) -> Option<&Given> {
        self.options.iter().find(|given| given.choice.name == option)
    }

    /// The builder, the options, and the layer made of them.
    fn layer(&self, data: &TokenStream, unread: Option<TokenStream>) -> TokenStream {
        let (at, end) = ends(data);
        let private = self.private(at);
        let (asked, ask) = (local("__asked", at), local("__ask", at));
        let (default, unread) = self.default_data(data, unread);
        let options = self.options.iter().map(|given| self.option(given));
        let registered = OPTIONS.iter().filter(|choice| matches!(choice.kind, Kind::Callback)).map(|choice| {
            if self.given(choice.name).is_some() {
                return quote_spanned!(own(at)=> #private::None);
            }
            let find = local(&format!("__{}", choice.name), at);
            quote_spanned!(own(at)=> #private::Data::<#data>::#find())
        });
        let open = quote_spanned!(own(at)=> <);
        let last = self.private(end);
        let clone = quote_spanned!(own(end)=> #open _ as #last::Clone>::clone);
        let pointer_field = Ident::new("pointer", own(end));
        let pointer = quote_spanned!(own(end)=> #asked.#pointer_field);
        quote_spanned! {own(at)=>
            #unread
            (move || {
                use #private::probed::*;
                let #asked = (&&&&&#private::Data::<#data>::NEW).__asked();
                #asked.#ask(#clone, #pointer);
                (#asked.start.finish)(#asked.start.builder #default #(#options)* .registered(#(#registered),*))
            })()
        }
    }

    /// The value of an option that is no constant. A tuple keeps it from being a reference to what it borrows from.
    fn given_value(&self, given: &Given, data: &TokenStream) -> TokenStream {
        let (name, value) = (local_name(given), &given.value);
        match given.choice.kind {
            Kind::Data => {
                // Where the type is not in scope, the compiler says the same of it here as where it stands in an argument, too.
                let private = self.private(ends(data).0);
                quote_spanned!(own(given.at.0)=> let #name: #private::Itself<#data> = #value;)
            }
            Kind::Callback | Kind::Value => quote_spanned!(own(given.at.0)=> let #name = (#value,);),
            Kind::Constant { .. } => TokenStream::new(),
        }
    }

    /// The builder's method with the value.
    fn option(&self, given: &Given) -> TokenStream {
        let method = Ident::new(given.choice.name, own(given.name.span()));
        let argument = match given.choice.kind {
            Kind::Data => return TokenStream::new(),
            Kind::Callback | Kind::Value => {
                let value = first_field(&local_name(given), given.at);
                let known = may_be_of_any_type(given).then(|| call(&local("__value", given.at.0), TokenStream::new(), given.at));
                let known = known.map(|known| quote_spanned!(own(given.at.1)=> .#known));
                quote!(#value #known)
            }
            Kind::Constant { .. } => self.used(given),
        };
        quote_spanned!(own(given.name.span())=> .#method(#argument))
    }

    /// The builder's method that gives the default data, and a statement before it: an error in place of a value that could not be read.
    fn default_data(&self, data: &TokenStream, unread: Option<TokenStream>) -> (TokenStream, Option<TokenStream>) {
        let at = ends(data).0;
        let (value, private) = (local("__default_data", at), self.private(at));
        let given = quote_spanned!(own(at)=> .default_data(#value));
        if self.given("default_data").is_some() {
            return (given, unread);
        }
        if let Some(unread) = unread {
            return (given, Some(quote_spanned!(own(at)=> let #value: #private::Itself<#data> = #unread;)));
        }
        let method = local("default_data_unless_given", at);
        (quote_spanned!(own(at)=> .#method()), None)
    }
}

/// Whether the value is more than a name, such as a call, whose type may have to be inferred from where it is used. Where it cannot be, a
/// method of the value makes one error of it; the builder's method would make a second one.
fn may_be_of_any_type(given: &Given) -> bool {
    given.value.clone().into_iter().any(|token| matches!(token, TokenTree::Group(_)))
}

/// Whether the value is the literal `false`.
fn is_false(given: &Given) -> bool {
    given.value.to_string() == "false"
}

/// The value in the length of an array that checks it.
fn checked_value(given: &Given) -> Ident {
    local("__value", given.at.0)
}

fn local_name(given: &Given) -> Ident {
    local(&format!("__{}", given.choice.name), given.at.0)
}

fn constant_name(given: &Given) -> Ident {
    local(&format!("__SESSION_{}", given.choice.name.to_uppercase()), given.at.0)
}
