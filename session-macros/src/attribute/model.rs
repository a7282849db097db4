//! What a function is as a callback, and what its tokens show to be wrong with it.

use proc_macro2::{Group, Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::visit_mut::{self, VisitMut};
use syn::{
    AngleBracketedGenericArguments, Attribute, BoundLifetimes, FnArg, GenericArgument, GenericParam, Generics, Ident, Lifetime,
    LifetimeParam, Macro, Meta, PatType, Path, PathArguments, ReturnType, Safety, Signature, Token, Type, TypeFnPtr,
    TypeImplTrait, TypeInfer, TypeParamBound, TypeReference, TypeTraitObject, WherePredicate, parse_quote,
};

use super::Role;
use super::arguments;
use super::errors::{Errors, wrong, wrong_at};
use super::parse::{Arguments, Function, plain};
use super::role::Bound;

/// A function, as a callback.
pub(super) struct Callback {
    pub(super) name: Ident,
    /// The types that the compiler is asked about, each with the trait it is asked for.
    pub(super) asked: Vec<Asked>,
    /// Whether the compiler says of the function itself that a lifetime is wrong: its type is not asked about then.
    pub(super) wrong_lifetime: bool,
    /// The attributes for what is generated, which names the function and its types: its `#[cfg]`s, and the lints that it allows.
    pub(super) attributes: Vec<Attribute>,
}

/// A question for the compiler.
pub(super) struct Asked {
    pub(super) ty: Type,
    pub(super) bound: Bound,
    /// The type is no future, since it stands in one already.
    pub(super) is_now: bool,
    /// To name the type again may be to make the same mistake again: something in its arguments may not be in scope, or they may be missing or
    /// too many.
    pub(super) is_doubtful: bool,
}

pub(super) fn callback(role: Role, function: &Function, given: &Arguments, errors: &mut Errors) -> Callback {
    let Function { attributes, signature, no_body } = function;
    let found_self = find_self(signature, given);
    check_qualifiers(role, signature, errors);
    check_generics(role, &signature.generics, errors);
    check_free(role, found_self, errors);
    check_arguments(role, signature, errors);
    arguments::check_count(role, signature, given.data.first(), errors);
    check_return(role, signature, errors);
    if let Some(semicolon) = no_body {
        errors.push(wrong(
            role,
            semicolon.span,
            "is a free function with a body: no function of a `trait` or an `extern` block is one",
        ));
    }
    Callback {
        name: signature.ident.clone(),
        wrong_lifetime: has_wrong_lifetime(signature),
        asked: if no_body.is_none() && found_self.is_none() { asked(role, signature) } else { Vec::new() },
        attributes: attributes.iter().filter_map(inherited).collect(),
    }
}

/// What an attribute of the function says about the code beside it. A lint that is expected of the function may not show up
/// there; and to register a callback is no use of it that a deprecation warns of.
fn inherited(attribute: &Attribute) -> Option<Attribute> {
    let path = attribute.path();
    if path.is_ident("cfg") || path.is_ident("allow") {
        return Some(attribute.clone());
    }
    if path.is_ident("deprecated") {
        return Some(parse_quote!(#[allow(deprecated)]));
    }
    let lints = attribute.meta.require_list().ok().filter(|_| path.is_ident("expect"))?;
    let lints = lints.parse_args_with(Punctuated::<Meta, Token![,]>::parse_terminated).ok()?;
    let lints: Punctuated<_, Token![,]> = lints.into_iter().filter(|lint| !is_of_dead_code(lint)).collect();
    Some(parse_quote!(#[allow(#lints)]))
}

/// Code that is allowed to be dead counts as used, and so would the function that it names, which is expected not to be.
fn is_of_dead_code(lint: &Meta) -> bool {
    ["dead_code", "unused", "warnings"].iter().any(|group| lint.path().is_ident(group))
}

fn check_qualifiers(role: Role, signature: &Signature, errors: &mut Errors) {
    let no_constant = match role {
        Role::Generate => Some("cannot be `const`: a constant id is no id"),
        Role::SessionId | Role::Middleware => Some("cannot be `const`: it is called for each request"),
        // It computes, and a constant function may.
        Role::Owner => None,
    };
    if let (Some(keyword), Some(why)) = (signature.constness, no_constant) {
        errors.push(wrong(role, keyword.span, why));
    }
    if let (Role::Owner, Some(keyword)) = (role, signature.asyncness) {
        errors.push(wrong(role, keyword.span, "cannot be `async`: the owner is computed in the step that writes the data"));
    }
    if let Safety::Unsafe(keyword) = signature.safety {
        errors.push(wrong(role, keyword.span, "cannot be `unsafe`: the session system calls it from safe code"));
    }
    if let Some(abi) = &signature.abi {
        errors.push(wrong_at(role, abi, "is a Rust function: it cannot be `extern`"));
    }
    if let Some(variadic) = &signature.variadic {
        errors.push(wrong(role, variadic.dots.spans[1], "cannot be variadic"));
    }
}

fn check_generics(role: Role, generics: &Generics, errors: &mut Errors) {
    for parameter in &generics.params {
        match parameter {
            GenericParam::Lifetime(lifetime) if lifetime.bounds.is_empty() => {}
            GenericParam::Lifetime(lifetime) => errors.push(wrong_at(role, lifetime, ANY_LIFETIME)),
            GenericParam::Type(parameter) => errors.push(wrong(role, parameter.ident.span(), NOT_GENERIC)),
            GenericParam::Const(parameter) => errors.push(wrong(role, parameter.ident.span(), NOT_GENERIC)),
        }
    }
    for predicate in generics.where_clause.iter().flat_map(|clause| &clause.predicates) {
        if let WherePredicate::Lifetime(predicate) = predicate {
            errors.push(wrong_at(role, predicate, ANY_LIFETIME));
        }
    }
}

const ANY_LIFETIME: &str = "must work for a request of any lifetime: this bound allows only some";
const NOT_GENERIC: &str = "cannot be generic: the session system calls it, and knows no parameters for it";

/// The code beside an associated function could not name it.
fn check_free(role: Role, found_self: Option<(Span, bool)>, errors: &mut Errors) {
    match found_self {
        Some((span, true)) => errors.push(wrong(role, span, "is a free function: it takes no `self`")),
        Some((span, false)) => {
            errors.push(wrong(role, span, "is a free function, outside of `impl` and `trait`: it has no `Self`"));
        }
        None => {}
    }
}

/// What only an associated function has, and whether that is a `self`.
fn find_self(signature: &Signature, given: &Arguments) -> Option<(Span, bool)> {
    if let Some(receiver) = signature.receiver() {
        return Some((receiver.self_token.span, true));
    }
    let data = given.data.iter().map(ToTokens::to_token_stream);
    let mut tokens = data.chain([signature.inputs.to_token_stream(), signature.output.to_token_stream()]);
    tokens.find_map(self_type).map(|span| (span, false))
}

/// The first `Self` in the tokens.
fn self_type(tokens: TokenStream) -> Option<Span> {
    tokens.into_iter().find_map(|token| match token {
        TokenTree::Ident(ident) if ident == "Self" => Some(ident.span()),
        TokenTree::Group(group) => self_type(group.stream()),
        _ => None,
    })
}

fn check_arguments(role: Role, signature: &Signature, errors: &mut Errors) {
    let may_be_wanted = signature.inputs.len() <= role.arguments().len();
    for argument in &signature.inputs {
        let attributes = match argument {
            FnArg::Receiver(receiver) => &receiver.attrs,
            FnArg::Typed(typed) => {
                check_argument(role, typed, may_be_wanted, errors);
                &typed.attrs
            }
        };
        for cfg in attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")) {
            errors.push(wrong_at(role, cfg, "has one signature: put `#[cfg]` on the whole function"));
        }
    }
}

fn check_argument(role: Role, argument: &PatType, may_be_wanted: bool, errors: &mut Errors) {
    // One that is too many is told so.
    if may_be_wanted && let Some(hidden) = Unnameable::find(&argument.ty).impl_trait {
        errors.push(wrong(role, hidden.impl_token.span, NOT_GENERIC));
    }
    if let Type::Reference(reference) = plain(&argument.ty)
        && let Some(lifetime) = reference.lifetime.as_ref().filter(|lifetime| lifetime.ident == "static")
    {
        let why = match role {
            Role::Owner => "gets data that it may look at only while it runs: remove `'static`",
            _ => "gets a request that lives only as long as it is answered: remove `'static`",
        };
        errors.push(wrong(role, lifetime.span(), why));
    }
}

fn check_return(role: Role, signature: &Signature, errors: &mut Errors) {
    match &signature.output {
        ReturnType::Type(_, returned) => {
            if let (Some(_), Type::ImplTrait(future)) = (signature.asyncness, plain(returned))
                && output(&future.bounds).is_some()
            {
                errors.push(wrong_at(
                    role,
                    returned,
                    "that is `async` returns a future already: leave out `async`, or `impl Future`",
                ));
                return;
            }
            check_returned(role, returned, errors);
        }
        ReturnType::Default => match role {
            Role::SessionId => {
                if let Some(shared) = shared_request(signature) {
                    errors.push(wrong_at(
                        role,
                        shared,
                        "that takes `&Parts` returns the id: `-> Option<R>`, where `R` is `String`, `&str` or `SessionId`",
                    ));
                }
            }
            Role::Generate => errors.push(wrong(role, signature.ident.span(), "returns the id: `-> String` or `-> SessionId`")),
            Role::Owner => {
                errors.push(wrong(role, signature.ident.span(), "returns the owner: `-> Option<u64>`, or `-> Option<&str>`"));
            }
            Role::Middleware => {
                errors.push(wrong(
                    role,
                    signature.ident.span(),
                    "returns the response: `-> Response`, or another `IntoResponse`",
                ));
            }
        },
    }
}

fn check_returned(role: Role, returned: &Type, errors: &mut Errors) {
    let plain = plain(returned);
    if let Type::Never(never) = plain {
        errors.push(wrong(role, never.bang_token.span, "must return"));
    }
    let answer = match plain {
        Type::ImplTrait(future) => output(&future.bounds),
        _ => None,
    };
    if role == Role::Owner && answer.is_some() {
        errors.push(wrong_at(
            role,
            returned,
            "cannot return a future: the owner is computed in the step that writes the data, so it is there when the function returns",
        ));
        return;
    }
    let found = Unnameable::find(answer.as_ref().unwrap_or(plain));
    if role != Role::Middleware
        && let Some(hidden) = found.impl_trait
    {
        let name = match role {
            Role::Owner => "cannot hide what it returns: name the type",
            _ => "cannot hide what it returns: name the type, or `impl Future<Output = ..>`",
        };
        errors.push(wrong_at(role, hidden, name));
    }
    if let Some(future) = found.local_future {
        errors.push(wrong_at(role, future, "returns a future that is `Send`: add `+ Send`"));
    }
}

/// The `&Parts` of a callback that only finds the id.
fn shared_request(signature: &Signature) -> Option<&Type> {
    let ty = &*only_argument(signature)?.ty;
    matches!(plain(ty), Type::Reference(reference) if reference.mutability.is_none()).then_some(ty)
}

fn only_argument(signature: &Signature) -> Option<&PatType> {
    match signature.inputs.first()? {
        FnArg::Typed(argument) if signature.inputs.len() == 1 => Some(argument),
        _ => None,
    }
}

/// The types that the compiler is asked about: those of the arguments, where their count is right, and the returned one.
fn asked(role: Role, signature: &Signature) -> Vec<Asked> {
    let generics = &signature.generics;
    if generics.params.iter().any(|parameter| !matches!(parameter, GenericParam::Lifetime(_))) {
        return Vec::new();
    }
    let mut asked = Vec::new();
    if signature.inputs.len() == role.arguments().len() {
        for (given, expected) in signature.inputs.iter().zip(role.arguments()) {
            // A trait object is made of the data where the function is called, which only the compiler knows to be possible.
            if let FnArg::Typed(argument) = given
                && !(role == Role::Owner && is_trait_object(&argument.ty))
            {
                let is_doubtful =
                    matches!(role, Role::Middleware | Role::Owner) && is_doubtful_argument(role, expected.bound, &argument.ty);
                asked.push(Asked { ty: (*argument.ty).clone(), bound: expected.bound, is_now: false, is_doubtful });
            }
        }
    }
    if !returns_elided(signature) {
        asked.extend(returned(role, signature));
    }
    asked.retain(|asked| matches!(Unnameable::find(&asked.ty), Unnameable { impl_trait: None, infer: false, .. }));
    // A type that names a lifetime that nothing declares is wrong already.
    let declared: Vec<_> = generics.lifetimes().map(|parameter| &parameter.lifetime).collect();
    asked.retain(|asked| UsedLifetimes::of(&asked.ty).are_declared(&declared));
    for asked in &mut asked {
        EraseLifetimes::of(&mut asked.ty);
    }
    asked
}

fn is_trait_object(ty: &Type) -> bool {
    matches!(plain(ty), Type::Reference(reference) if matches!(plain(&reference.elem), Type::TraitObject(_)))
}

/// The returned type, or that of the future in `-> impl Future<Output = R>`, and the trait it is asked for.
fn returned(role: Role, signature: &Signature) -> Option<Asked> {
    let ReturnType::Type(_, returned) = &signature.output else { return None };
    let bound = match role {
        Role::SessionId => match plain(&only_argument(signature)?.ty) {
            Type::Reference(request) if request.mutability.is_some() => Bound::SetsId,
            Type::Reference(_) => Bound::FindsId,
            _ => return None,
        },
        Role::Generate => Bound::GeneratesId,
        Role::Middleware => Bound::Responds,
        // An `async` one is refused by its keyword.
        Role::Owner if signature.asyncness.is_some() => return None,
        Role::Owner => Bound::FindsOwner,
    };
    match plain(returned) {
        Type::Never(_) => None,
        Type::ImplTrait(_) if role == Role::Owner => None,
        Type::ImplTrait(future) => output(&future.bounds).map(|ty| Asked { ty, bound, is_now: true, is_doubtful: false }),
        _ => {
            let is_doubtful = DoubtfulName::is_in(returned);
            Some(Asked { ty: (**returned).clone(), bound, is_now: signature.asyncness.is_some(), is_doubtful })
        }
    }
}

/// Looks for a name of one word in the arguments of a type, unless the language has it. Where it is not in scope, the compiler offers to
/// declare it as a parameter of the function, which makes another error of each other place that names it.
#[derive(Default)]
struct DoubtfulName {
    depth: usize,
    found: bool,
}

impl DoubtfulName {
    fn is_in(ty: &Type) -> bool {
        let mut search = Self::default();
        search.visit_type_mut(&mut ty.clone());
        search.found
    }
}

impl VisitMut for DoubtfulName {
    fn visit_angle_bracketed_generic_arguments_mut(&mut self, arguments: &mut AngleBracketedGenericArguments) {
        self.depth += 1;
        visit_mut::visit_angle_bracketed_generic_arguments_mut(self, arguments);
        self.depth -= 1;
    }

    fn visit_path_mut(&mut self, path: &mut Path) {
        let name = path.get_ident().filter(|_| self.depth > 0);
        self.found |= name.is_some_and(|name| name != "String" && name != "str");
        visit_mut::visit_path_mut(self, path);
    }
}

/// Whether the type of an argument has arguments of its own, or lacks them.
fn is_doubtful_argument(role: Role, bound: Bound, ty: &Type) -> bool {
    let ty = match plain(ty) {
        Type::Reference(data) if role == Role::Owner => plain(&data.elem),
        ty => ty,
    };
    let Type::Path(path) = ty else { return false };
    let Some(last) = path.path.segments.last().filter(|_| path.qself.is_none()) else { return false };
    let has_arguments = !matches!(last.arguments, PathArguments::None);
    match bound {
        Bound::TakesSession => has_arguments || last.ident == "Session",
        Bound::TakesWholeRequest => has_arguments && last.ident == "Request",
        Bound::TakesNext => has_arguments && last.ident == "Next",
        _ => has_arguments,
    }
}

/// The `R` of `Future<Output = R>`.
fn output<'a>(bounds: impl IntoIterator<Item = &'a TypeParamBound>) -> Option<Type> {
    let arguments = bounds.into_iter().filter_map(|bound| {
        let TypeParamBound::Trait(future) = bound else { return None };
        match &future.path.segments.last()?.arguments {
            PathArguments::AngleBracketed(arguments) => Some(&arguments.args),
            _ => None,
        }
    });
    arguments.flatten().find_map(|argument| match argument {
        GenericArgument::AssocType(output) if output.ident == "Output" => Some(output.ty.clone()),
        _ => None,
    })
}

/// What stands in a type that keeps it from being named in another function, or from being sent to another thread.
#[derive(Default)]
struct Unnameable {
    impl_trait: Option<TypeImplTrait>,
    infer: bool,
    /// `dyn Future` without `Send`.
    local_future: Option<TypeTraitObject>,
}

impl Unnameable {
    fn find(ty: &Type) -> Self {
        let mut found = Self::default();
        found.visit_type_mut(&mut ty.clone());
        found
    }
}

impl VisitMut for Unnameable {
    fn visit_type_impl_trait_mut(&mut self, ty: &mut TypeImplTrait) {
        self.impl_trait.get_or_insert_with(|| ty.clone());
    }

    fn visit_type_infer_mut(&mut self, _: &mut TypeInfer) {
        self.infer = true;
    }

    fn visit_type_trait_object_mut(&mut self, ty: &mut TypeTraitObject) {
        if has_bound(ty, "Future") && !has_bound(ty, "Send") {
            self.local_future.get_or_insert_with(|| ty.clone());
        }
        visit_mut::visit_type_trait_object_mut(self, ty);
    }
}

fn has_bound(ty: &TypeTraitObject, name: &str) -> bool {
    ty.bounds.iter().any(|bound| match bound {
        TypeParamBound::Trait(bound) => bound.path.segments.last().is_some_and(|segment| segment.ident == name),
        _ => false,
    })
}

/// Whether the signature names a lifetime that nothing declares, or returns a reference that borrows from no argument.
fn has_wrong_lifetime(signature: &Signature) -> bool {
    let mut used = UsedLifetimes::default();
    used.visit_signature_mut(&mut signature.clone());
    !used.are_declared(&[]) || returns_elided(signature)
}

fn returns_elided(signature: &Signature) -> bool {
    let ReturnType::Type(_, returned) = &signature.output else { return false };
    let mut returned = UsedLifetimes::of(returned);
    let mut borrowed = UsedLifetimes::default();
    signature.inputs.clone().iter_mut().for_each(|argument| borrowed.visit_fn_arg_mut(argument));
    let borrows = borrowed.elided || !borrowed.named.is_empty();
    returned.named.retain(|name| name.ident == "_");
    (returned.elided || !returned.named.is_empty()) && !borrows && signature.inputs.iter().all(is_plain_path)
}

/// A type that has no lifetime, unless it hides it.
fn is_plain_path(argument: &FnArg) -> bool {
    matches!(argument, FnArg::Typed(argument) if matches!(plain(&argument.ty), Type::Path(_)))
}

#[derive(Default)]
struct UsedLifetimes {
    declared: Vec<Lifetime>,
    named: Vec<Lifetime>,
    /// There is a reference without a lifetime.
    elided: bool,
}

impl UsedLifetimes {
    fn of(ty: &Type) -> Self {
        let mut used = Self::default();
        used.visit_type_mut(&mut ty.clone());
        used
    }

    /// Whether the type, or the function with these parameters, declares all that it names.
    fn are_declared(&self, parameters: &[&Lifetime]) -> bool {
        let is_declared = |name: &Lifetime| {
            name.ident == "static" || name.ident == "_" || self.declared.contains(name) || parameters.contains(&name)
        };
        self.named.iter().all(is_declared)
    }
}

impl VisitMut for UsedLifetimes {
    fn visit_lifetime_param_mut(&mut self, parameter: &mut LifetimeParam) {
        self.declared.push(parameter.lifetime.clone());
        visit_mut::visit_lifetime_param_mut(self, parameter);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        self.named.push(lifetime.clone());
    }

    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        self.elided |= reference.lifetime.is_none();
        visit_mut::visit_type_reference_mut(self, reference);
    }

    // `fn(&u8) -> &u8` has lifetimes of its own.
    fn visit_type_fn_ptr_mut(&mut self, _: &mut TypeFnPtr) {}

    fn visit_parenthesized_generic_arguments_mut(&mut self, _: &mut syn::ParenthesizedGenericArguments) {}
}

/// Writes `'_` for the lifetimes that the function declares, since the type is named outside of it; and for those that nothing
/// declares, which the compiler says of the function itself.
#[derive(Default)]
struct EraseLifetimes {
    /// Those that the type declares itself, by `for<'r>`.
    own: Vec<Lifetime>,
}

impl EraseLifetimes {
    fn of(ty: &mut Type) {
        let mut erase = Self::default();
        OwnLifetimes(&mut erase.own).visit_type_mut(ty);
        erase.visit_type_mut(ty);
    }

    fn keeps(&self, name: &Ident) -> bool {
        name == "static" || self.own.iter().any(|own| own.ident == *name)
    }

    fn erase_in(&self, tokens: TokenStream) -> TokenStream {
        let mut after_quote = false;
        let erased = tokens.into_iter().map(|token| {
            let names_lifetime =
                std::mem::replace(&mut after_quote, matches!(&token, TokenTree::Punct(quote) if quote.as_char() == '\''));
            match token {
                TokenTree::Ident(name) if names_lifetime && !self.keeps(&name) => Ident::new("_", name.span()).into(),
                TokenTree::Group(group) => {
                    let mut erased = Group::new(group.delimiter(), self.erase_in(group.stream()));
                    erased.set_span(group.span());
                    erased.into()
                }
                other => other,
            }
        });
        erased.collect()
    }
}

impl VisitMut for EraseLifetimes {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if !self.keeps(&lifetime.ident) {
            lifetime.ident = Ident::new("_", lifetime.ident.span());
        }
    }

    fn visit_macro_mut(&mut self, ty: &mut Macro) {
        ty.tokens = self.erase_in(std::mem::take(&mut ty.tokens));
    }
}

/// Collects the lifetimes that a type declares.
struct OwnLifetimes<'a>(&'a mut Vec<Lifetime>);

impl VisitMut for OwnLifetimes<'_> {
    fn visit_bound_lifetimes_mut(&mut self, declared: &mut BoundLifetimes) {
        self.0.extend(declared.lifetimes.iter().filter_map(|parameter| match parameter {
            GenericParam::Lifetime(lifetime) => Some(lifetime.lifetime.clone()),
            _ => None,
        }));
    }
}
