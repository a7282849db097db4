//! The code beside the function: it asks the compiler about the types, and registers the function for data types.

use proc_macro2::{Delimiter, Span, TokenStream, TokenTree};
use quote::{ToTokens, TokenStreamExt as _, quote, quote_spanned};
use syn::ext::IdentExt as _;
use syn::spanned::Spanned as _;
use syn::visit_mut::VisitMut;
use syn::{Attribute, GenericArgument, Ident, Lifetime, Path, PathArguments, Token, Type, TypeReference};

use super::Role;
use super::lifetimes::BorrowForever;
use super::model::{Asked, Callback};
use super::parse::Arguments;
use super::role::Bound;
use super::types::{may_be_of_another_crate, plain};

/// `sound` is whether the tokens showed nothing wrong; else the types are asked about, and nothing more.
pub(super) fn callback(role: Role, arguments: &Arguments, callback: &Callback, sound: bool) -> TokenStream {
    if arguments.runtime_is_wrong || (!sound && callback.asked.is_empty()) {
        return TokenStream::new();
    }
    let imported = arguments.runtime.as_ref().map(|_| hidden_name(role, callback, "_runtime"));
    let code = Code { role, imported: imported.as_deref(), data: &arguments.data, doubted: None, callback, sound };
    let is_named = !callback.is_refused || !callback.asked.is_empty();
    let import = arguments.runtime.as_ref().filter(|_| is_named).map(|runtime| code.import(runtime));
    let generated = match &*arguments.data {
        _ if !sound => code.only_asked(&TokenStream::new()),
        _ if callback.is_refused => code.only_asked(&unless_refused(role)),
        [] => code.checked(),
        [first, others @ ..] => code.registered(first, others),
    };
    quote!(#import #generated)
}

/// Whether an argument takes this data by a reference: by its own name and arguments, or as a trait object, which it becomes.
fn takes(argument: &Type, data: &Type) -> bool {
    let last = |ty: &Type| {
        let mut ty = plain(ty).clone();
        BorrowForever::default().visit_type_mut(&mut ty);
        match ty {
            Type::Path(path) => path.path.segments.last().map(|last| last.to_token_stream().to_string()),
            _ => None,
        }
    };
    match plain(argument) {
        Type::Reference(reference) if reference.mutability.is_none() => {
            matches!(plain(&reference.elem), Type::TraitObject(_))
                || last(&reference.elem).is_some_and(|name| Some(name) == last(data))
        }
        _ => false,
    }
}

/// `&T`, where `T` is no reference itself.
fn is_shared_reference(ty: &Type) -> bool {
    let Type::Reference(reference) = plain(ty) else { return false };
    reference.mutability.is_none() && !matches!(plain(&reference.elem), Type::Reference(_))
}

/// The `O` of `Option<O>`.
fn optional(returned: &Type) -> Option<&Type> {
    let Type::Path(path) = plain(returned) else { return None };
    let last = path.path.segments.last().filter(|last| last.ident == "Option")?;
    let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
    match arguments.args.iter().collect::<Vec<_>>()[..] {
        [GenericArgument::Type(owner)] => Some(plain(owner)),
        _ => None,
    }
}

/// Whether a type borrows nothing, as far as its tokens show.
fn lives_by_itself(ty: &Type) -> bool {
    struct Borrows(bool);

    impl VisitMut for Borrows {
        fn visit_lifetime_mut(&mut self, _: &mut Lifetime) {
            self.0 = true;
        }

        fn visit_type_reference_mut(&mut self, _: &mut TypeReference) {
            self.0 = true;
        }
    }

    let mut borrows = Borrows(false);
    borrows.visit_type_mut(&mut ty.clone());
    !borrows.0
}

/// Where the compiler refuses the function, as far as its tokens show, nothing more is said of it, and it is not registered. Should the compiler
/// take it nevertheless, a lint says so: lints are looked at where there is no error.
pub(super) fn unless_refused(role: Role) -> TokenStream {
    let text = format!("`#[{}]` cannot read this function: please report it", role.attribute());
    quote! {
        #[must_use = #text]
        fn unread() -> [(); 1] {
            [()]
        }
        #[deny(unused_must_use)]
        unread();
    }
}

/// Keywords of the macros' edition that are names in an earlier one.
const NEW_KEYWORDS: &[&str] = &["async", "await", "dyn", "gen", "try"];

/// A name beside the function's that no other function's code has.
fn hidden_name(role: Role, callback: &Callback, what: &str) -> String {
    format!("__{}_{}{what}", role.attribute(), callback.name.unraw())
}

#[derive(Clone, Copy)]
struct Code<'a> {
    role: Role,
    /// The runtime's items, imported under this name where the path of the runtime is given.
    imported: Option<&'a str>,
    data: &'a [Type],
    /// The data type that it is registered for, if that may be of another crate.
    doubted: Option<&'a Type>,
    callback: &'a Callback,
    sound: bool,
}

impl Code<'_> {
    /// The runtime's items by the path that is given, which is named here alone: one that is wrong makes one error.
    fn import(&self, runtime: &Path) -> TokenStream {
        let attributes = &self.callback.attributes;
        let last = ends(runtime).1;
        let imported = self.imported.map(|name| Ident::new(name, last));
        let items = quote_spanned!(last=> ::macro_support as #imported);
        quote! {
            #(#attributes)*
            use #runtime #items;
        }
    }

    /// The questions alone, each by itself.
    fn only_asked(&self, beside: &TokenStream) -> TokenStream {
        let asked = self.callback.asked.iter().map(|asked| self.ask(asked, &quote!(())));
        self.hidden_function(&quote!(#beside #(#asked;)*))
    }

    /// Without a data type: the questions, and whether the whole is a callback.
    fn checked(&self) -> TokenStream {
        let erased = self.erased();
        self.hidden_function(&quote!(let _ = #erased;))
    }

    /// The first data type's impl asks and makes the callback, in which a middleware's `Session<T>` is compared with `Self`; the
    /// others' call that one.
    fn registered(&self, first: &Type, others: &[Type]) -> TokenStream {
        if self.data.iter().any(may_be_of_another_crate) {
            let registrations = self.data.iter().map(|data| {
                let code = Code { doubted: may_be_of_another_crate(data).then_some(data), ..*self };
                code.registration(data, &code.erased())
            });
            return quote!(#(#registrations)*);
        }
        if self.role == Role::Owner {
            // Each asks for itself: the argument is of its own type, or made of it; unless it can be of none.
            let is_of_none = |asked: &Asked| asked.bound == Bound::TakesData && !is_shared_reference(&asked.ty);
            let asking = if self.callback.asked.iter().any(is_of_none) { 1 } else { self.data.len() };
            let registrations = self.data.iter().take(asking).map(|data| self.registration(data, &self.erased()));
            return quote!(#(#registrations)*);
        }
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
        if self.role == Role::Owner {
            return self.registered_owner(data, span, callback, body);
        }
        self.chosen(data, attributes, |implemented| {
            quote_spanned! {span=>
                impl #registered for #implemented {
                    fn register<__Callback>() -> #callback #of_data {
                        #body
                    }
                }
            }
        })
    }

    /// The impl for the data type; or, if that is of another crate, for a type beside it.
    fn chosen(
        &self,
        data: &Type,
        attributes: &[Attribute],
        implementation: impl FnOnce(&TokenStream) -> TokenStream,
    ) -> TokenStream {
        if self.doubted.is_none() {
            let implementation = implementation(&data.to_token_stream());
            return quote!(#(#attributes)* #implementation);
        }
        let span = at(data.span());
        let path = |name| self.path(span, span, name);
        let (own, which, choose, as_data) = (path("own"), path("Which"), path("Choose"), path("As"));
        let is_own = self.is_own(data);
        let implementation = implementation(&quote_spanned!(span=> <#which<#is_own> as #choose<#data, __Instead>>::Chosen));
        quote_spanned! {span=>
            #(#attributes)*
            const _: () = {
                use #own::*;
                struct __Instead;
                impl #as_data<#data> for __Instead {
                    fn data(&self) -> &#data {
                        loop {}
                    }
                }
                #implementation
            };
        }
    }

    /// Whether the data type is of this crate.
    fn is_own(&self, data: &Type) -> TokenStream {
        let span = at(data.span());
        let named = self.path(span, span, "Named");
        quote_spanned!(span=> { #named::<#data>::IS_OWN })
    }

    /// The data type in its registration.
    fn this(&self, span: Span) -> TokenStream {
        self.doubted.map_or_else(|| Token![Self](span).to_token_stream(), ToTokens::to_token_stream)
    }

    /// A registration that also gives the type of the owner and how the function's answer becomes one, for the extractor of who is logged in:
    /// if the function names the type, and takes the data by its own name. Of what the compiler is told nothing else about a wrong
    /// function here.
    fn registered_owner(&self, data: &Type, span: Span, callback: RuntimePath<'_>, body: &TokenStream) -> TokenStream {
        let attributes = &self.callback.attributes;
        let registered = self.registered_trait(data.span());
        let option = self.path(span, span, "Option");
        let named = self.named_owner(data, span);
        let is_doubtful =
            named.is_some() && self.callback.asked.iter().any(|asked| asked.bound == Bound::FindsOwner && asked.is_doubtful);
        let (owner, answer) = named.unwrap_or_else(|| {
            let (unknown, none) = (self.path(span, span, "OwnerOfUnknownType"), self.path(span, span, "None"));
            (quote_spanned!(span=> #unknown), quote_spanned!(span=> #none))
        });
        // That the type is less visible than the data is said of this item, so it stands where the type does.
        let mut asked = self.callback.asked.iter().filter(|asked| asked.bound == Bound::FindsOwner);
        let typed = asked.find_map(|asked| optional(&asked.ty)).map_or(span, |owner| at(ends(owner).0));
        let implementation = |owner: &TokenStream| {
            let owner = quote_spanned!(typed=> type Owner = #owner;);
            self.chosen(data, attributes, |implemented| {
                quote_spanned! {span=>
                    impl #registered for #implemented {
                        #owner

                        fn owner(&self) -> #option<Self::Owner> {
                            #answer
                        }

                        fn register<__Callback>() -> #callback<Self> {
                            #body
                        }
                    }
                }
            })
        };
        if !is_doubtful {
            return implementation(&owner);
        }
        // A name that is not in scope is said once: the compiler offers to declare it behind the name of the function, here as there.
        let (alias, itself) = (Ident::new("__Owner", self.callback.name.span()), self.path(span, span, "Itself"));
        let implementation = implementation(&alias.to_token_stream());
        quote_spanned! {span=>
            #(#attributes)*
            const _: () = {
                type #alias = #itself<#owner>;
                #implementation
            };
        }
    }

    fn named_owner(&self, data: &Type, span: Span) -> Option<(TokenStream, TokenStream)> {
        let asked = |bound| self.callback.asked.iter().find(|asked| asked.bound == bound);
        if !takes(&asked(Bound::TakesData)?.ty, data) {
            return None;
        }
        let function = self.name();
        let as_data = self.doubted.map(|data| (self.path(span, span, "As"), data));
        let given = as_data.map(|(as_data, data)| quote_spanned!(span=> <Self as #as_data<#data>>::data(self)));
        let given = given.unwrap_or_else(|| quote_spanned!(span=> self));
        match optional(&asked(Bound::FindsOwner)?.ty)? {
            Type::Reference(borrowed) if borrowed.mutability.is_none() && lives_by_itself(&borrowed.elem) => {
                let (owned, to_owned, borrowed) =
                    (self.path(span, span, "owned"), self.path(span, span, "ToOwned"), &borrowed.elem);
                Some((quote_spanned!(span=> <#borrowed as #to_owned>::Owned), quote_spanned!(span=> #owned(#function(#given)))))
            }
            owner if lives_by_itself(owner) => Some((quote!(#owner), quote_spanned!(span=> #function(#given)))),
            _ => None,
        }
    }

    fn registered_trait(&self, span: Span) -> RuntimePath<'_> {
        let name = match self.role {
            Role::SessionId => "RegisteredSessionId",
            Role::Generate => "RegisteredGenerate",
            Role::Middleware => "RegisteredMiddleware",
            Role::Owner => "RegisteredOwner",
        };
        self.path(span, span, name)
    }

    fn erased_type(&self, span: Span) -> RuntimePath<'_> {
        let name = match self.role {
            Role::SessionId => "SessionIdCallback",
            Role::Generate => "GenerateCallback",
            Role::Middleware => "Middleware",
            Role::Owner => "OwnerOf",
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
                let is_send = self.is_send(&function, "future_1");
                quote_spanned! {span=>
                    #callback::registered(|#ask| {
                        #asked
                        #is_send
                        #run(#function, #ask)
                    })
                }
            }
            Role::Generate => {
                let (run, ask, name) = (self.path(span, span, "run_generate"), local("__ask"), self.name());
                let is_send = self.is_send(&function, "future_0");
                quote_spanned! {span=>
                    #callback::registered(&#name, |#ask| {
                        #asked
                        #is_send
                        #run(#function, #ask)
                    })
                }
            }
            Role::Owner => {
                let (run, key, data) =
                    (self.path(span, span, "registered_owner"), self.path(span, span, "owner_key"), local("__data"));
                if self.data.is_empty() {
                    return quote_spanned!(span=> |#data| { #asked #key(#function(#data)) });
                }
                quote_spanned! {span=>
                    #run::<Self>(|#data| {
                        #asked
                        #key(#function(#data))
                    })
                }
            }
            Role::Middleware => {
                let [session, request, next] = ["__session_system", "__request", "__next"].map(local);
                let run = if self.data.is_empty() {
                    let run = self.path(span, span, "run_middleware");
                    let is_send = self.is_send(&function, "future_3");
                    quote_spanned!(span=> #is_send #run(#function, #session, #request, #next))
                } else {
                    // Not of data that misses a bound, which `session!` says.
                    let (runs, run) = (self.path(span, span, "runs"), self.path(span, span, "Run"));
                    let is_send = self.sent(&function, |named| quote_spanned!(named=> (&&#run::<Self>::NEW).__future(#function)));
                    quote_spanned! {span=>
                        use #runs::*;
                        #is_send
                        (&&#run::<Self>::NEW).__run(#function, #session, #request, #next)
                    }
                };
                quote_spanned! {span=>
                    #callback::registered(|#session, #request, #next| {
                        #asked
                        #run
                    })
                }
            }
        }
    }

    /// Asks whether the function's future is `Send`.
    fn is_send(&self, function: &Ident, future: &'static str) -> Option<TokenStream> {
        let future = self.path(function.span(), function.span(), future);
        self.sent(function, |named| quote_spanned!(named=> #future(#function)))
    }

    /// A cast of a pointer to the future, which the compiler refuses where that is not `Send`, in the standard library's words. It comes before a
    /// bound that asks the same, and all of it is placed where the bound is said to be broken: the compiler says it once, and says the first.
    fn sent(&self, function: &Ident, future: impl FnOnce(Span) -> TokenStream) -> Option<TokenStream> {
        self.callback.may_wait.then(|| {
            let named = function.span();
            let (sent, future) = (self.path(named, named, "sent"), future(named));
            quote_spanned!(named=> #sent(#future);)
        })
    }

    /// The function's name, where it is used: the compiler offers no other name for it. What is a keyword only in the edition of the
    /// macros is raw there.
    fn name(&self) -> Ident {
        let mut name = self.callback.name.clone();
        if NEW_KEYWORDS.iter().any(|keyword| name == keyword) {
            name = Ident::new_raw(&name.to_string(), name.span());
        }
        name.set_span(at(name.span()));
        name
    }

    fn in_registration(&self) -> bool {
        self.sound && !self.callback.is_refused && !self.data.is_empty()
    }

    /// The function in a local, handed through all the questions, the first being the outermost and so the first to be answered: an answer that is wrong has no type, so that nothing is wrong
    /// after it.
    fn ask_all(&self, function: &Ident) -> TokenStream {
        let (span, name) = (at(function.span()), self.name());
        let named = quote_spanned!(span=> &#name);
        let passed = self.callback.asked.iter().rev().fold(named, |inner, asked| self.ask(asked, &inner));
        let Some(data) = self.doubted else { return quote_spanned!(span=> let #function = #passed;) };
        let passed = {
            let (first, last) = ends(data);
            let name = match self.role {
                Role::SessionId => "RegistersSessionId",
                Role::Generate => "RegistersGenerate",
                Role::Middleware => "RegistersMiddleware",
                Role::Owner => "RegistersOwner",
            };
            let (registers, is_own, open) = (self.path(last, last, name), self.is_own(data), Token![<](first));
            let itself = self.path(first, last, "Itself");
            quote_spanned!(last=> #open #itself<__Callback> as #registers<#data, #is_own>>::pass(#passed))
        };
        quote_spanned!(span=> let #function = #passed;)
    }

    /// `<Callback as Takes<Type>>::pass(inner)`, of the type parameter of the function around it. Both the call and the parameter reach
    /// from the type's first token to its last: the compiler's message then stands under the type, and stands there once, though
    /// the compiler finds the same mistake in `pass` and in what that returns.
    fn ask(&self, asked: &Asked, inner: &TokenStream) -> TokenStream {
        let Asked { ty, bound, is_now, is_doubtful } = asked;
        let (first, last) = ends(ty);
        let is_name = matches!(ty, Type::Path(path) if path.path.get_ident().is_some() && path.qself.is_none());
        let name = match bound {
            Bound::TakesData if !self.in_registration() => "TakesAnyData",
            _ => bound.name(),
        };
        let asked = self.path(last, last, name);
        let open = Token![<](first);
        let callback = if is_name {
            quote_spanned!(last=> __Callback as #asked)
        } else {
            let itself = self.path(first, last, "Itself");
            quote_spanned!(last=> #itself<__Callback> as #asked)
        };
        let named = self.sound && !self.callback.is_refused;
        let taken = match bound {
            Bound::TakesData => "taken_1",
            Bound::TakesSession => "taken_1_of_3",
            Bound::TakesWholeRequest => "taken_2_of_3",
            _ => "taken_3_of_3",
        };
        match bound {
            Bound::TakesSession | Bound::TakesWholeRequest | Bound::TakesNext | Bound::TakesData if *is_doubtful && named => {
                let (taken, name) = (self.path(last, last, taken), self.name());
                let data = match bound {
                    Bound::TakesSession | Bound::TakesData if self.in_registration() => {
                        let this = self.this(last);
                        quote_spanned!(last=> , #this)
                    }
                    Bound::TakesSession => quote_spanned!(last=> , _),
                    _ => TokenStream::new(),
                };
                quote_spanned!(last=> #open #callback<_ #data>>::pass_of(#inner, #taken(&#name)))
            }
            // In the impl for its data type.
            Bound::TakesSession | Bound::TakesData if self.in_registration() => {
                let this = self.this(last);
                quote_spanned!(last=> #open #callback<#ty, #this>>::pass(#inner))
            }
            Bound::TakesSession => quote_spanned!(last=> #open #callback<#ty, _>>::pass(#inner)),
            Bound::TakesRequest | Bound::TakesWholeRequest | Bound::TakesNext | Bound::TakesData => {
                quote_spanned!(last=> #open #callback<#ty>>::pass(#inner))
            }
            Bound::SetsId | Bound::FindsId | Bound::GeneratesId | Bound::Responds | Bound::FindsOwner => {
                let kind = self.path(last, last, if *is_now { "InFuture" } else { "Direct" });
                if !is_doubtful || !named {
                    return quote_spanned!(last=> #open #callback<#ty, #kind<_>>>::pass(#inner));
                }
                let returned = match (self.role, is_now) {
                    (Role::Generate, false) => "returned_0",
                    (Role::Generate, true) => "returned_later_0",
                    (Role::Middleware, false) => "returned_3",
                    (Role::Middleware, true) => "returned_later_3",
                    (_, false) => "returned_1",
                    (_, true) => "returned_later_1",
                };
                let (returned, name) = (self.path(last, last, returned), self.name());
                quote_spanned!(last=> #open #callback<_, #kind<_>>>::pass_of(#inner, #returned(&#name)))
            }
        }
    }

    /// The path of one of the runtime's items, placed where it is used, from `first` to `last`: else the compiler's messages
    /// would stand at the attribute.
    fn path(&self, first: Span, last: Span, name: &'static str) -> RuntimePath<'_> {
        RuntimePath { imported: self.imported, krate: self.callback.name.span(), first, last, name }
    }
}

/// The path of one of the runtime's items. Its tokens are appended one by one, which is what costs least: each stream of tokens in
/// another is a call of the compiler's.
#[derive(Clone, Copy)]
struct RuntimePath<'a> {
    imported: Option<&'a str>,
    /// Where the crate is missed if it has another name: in each path at one place, so that it is said once.
    krate: Span,
    first: Span,
    last: Span,
    name: &'static str,
}

impl ToTokens for RuntimePath<'_> {
    fn to_tokens(&self, tokens: &mut TokenStream) {
        let &Self { imported, krate, first, last, name } = self;
        if let Some(imported) = imported {
            tokens.append(Ident::new(imported, first));
        } else {
            Token![::](first).to_tokens(tokens);
            tokens.append(Ident::new("session_runtime", krate));
            Token![::](first).to_tokens(tokens);
            tokens.append(Ident::new("macro_support", first));
        }
        Token![::](last).to_tokens(tokens);
        tokens.append(Ident::new(name, last));
    }
}

/// The place of `span`, with the names of the attribute's.
fn at(span: Span) -> Span {
    Span::call_site().located_at(span)
}

/// The places of the first and the last token, also where a macro's `$ty:ty` wraps them up.
fn ends(tokens: impl ToTokens) -> (Span, Span) {
    let mut tokens = tokens.into_token_stream().into_iter();
    let first = tokens.next();
    let last = tokens.last().or_else(|| first.clone());
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
