//! What a function is as a callback, and what its tokens show to be wrong with it.

use proc_macro2::{Span, TokenTree};
use quote::ToTokens;
use syn::visit_mut::{self, VisitMut};
use syn::{
    Attribute, Error, FnArg, GenericArgument, GenericParam, Generics, Ident, Lifetime, PatType, PathArguments, ReturnType,
    Safety, Signature, Type, TypeImplTrait, TypeInfer, TypeParamBound, TypeTraitObject, WherePredicate, parse_quote,
};

use super::parse::Function;
use super::role::Bound;
use super::{Errors, Role};

/// A function, as a callback.
pub(super) struct Callback {
    pub(super) name: Ident,
    /// The types that the compiler is asked about, each with the trait it is asked for.
    pub(super) asked: Vec<(Type, Bound)>,
    /// The attributes for what is generated, which names the function and its types: its `#[cfg]`s, and the lints that it allows.
    pub(super) attributes: Vec<Attribute>,
}

pub(super) fn callback(role: Role, function: &Function, errors: &mut Errors) -> Callback {
    let Function { attributes, signature, no_body } = function;
    check_qualifiers(role, signature, errors);
    check_generics(role, &signature.generics, errors);
    check_arguments(role, signature, errors);
    check_return(role, signature, errors);
    if let Some(semicolon) = no_body {
        errors.push(wrong(role, semicolon.span, "needs a body"));
    }
    Callback {
        name: signature.ident.clone(),
        asked: asked(role, signature),
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
    let lints = &attribute.meta.require_list().ok().filter(|_| path.is_ident("expect"))?.tokens;
    // Code that is allowed to be dead counts as used, and so would the function that it names.
    let of_dead_code = lints.clone().into_iter().any(|token| matches!(&token, TokenTree::Ident(lint) if lint == "dead_code"));
    (!of_dead_code).then(|| parse_quote!(#[allow(#lints)]))
}

/// "a session id callback .. ", and the documented signature.
fn wrong(role: Role, span: Span, is: &str) -> Error {
    Error::new(span, format!("{} {is}\n= note: the signature is {}", role.noun(), role.signature()))
}

fn wrong_at(role: Role, tokens: impl ToTokens, is: &str) -> Error {
    Error::new_spanned(tokens, format!("{} {is}\n= note: the signature is {}", role.noun(), role.signature()))
}

fn check_qualifiers(role: Role, signature: &Signature, errors: &mut Errors) {
    if let Some(keyword) = signature.constness {
        let why = match role {
            Role::Generate => "cannot be `const`: a constant id is no id",
            _ => "cannot be `const`: it is called for each request",
        };
        errors.push(wrong(role, keyword.span, why));
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

fn check_arguments(role: Role, signature: &Signature, errors: &mut Errors) {
    let expected = role.arguments();
    let mut given = 0;
    for argument in &signature.inputs {
        let attributes = match argument {
            FnArg::Receiver(receiver) => {
                errors.push(wrong(role, receiver.self_token.span, "is a free function: it takes no `self`"));
                &receiver.attrs
            }
            FnArg::Typed(typed) => {
                given += 1;
                if given > expected.len() {
                    errors.push(wrong_at(role, argument, extra(expected.len())));
                } else {
                    check_argument(role, typed, errors);
                }
                &typed.attrs
            }
        };
        for cfg in attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")) {
            errors.push(wrong_at(role, cfg, "has one signature: put `#[cfg]` on the whole function"));
        }
    }
    if let Some(missing) = expected.get(given..).filter(|missing| !missing.is_empty()) {
        let missing: Vec<_> = missing.iter().map(|argument| format!("`{}`", argument.written)).collect();
        let takes = match (given, role) {
            (0, Role::SessionId) => "takes the request's head".to_owned(),
            (0, _) => format!("takes {}", missing.join(", ")),
            _ => format!("takes three arguments: {} is missing", missing.join(" and ")),
        };
        errors.push(wrong(role, signature.paren_token.span.join(), &takes));
    }
}

const fn extra(expected: usize) -> &'static str {
    match expected {
        0 => "takes no argument",
        1 => "takes one argument: remove this one",
        _ => "takes three arguments: remove this one",
    }
}

fn check_argument(role: Role, argument: &PatType, errors: &mut Errors) {
    if let Some(hidden) = Unnameable::find(&argument.ty).impl_trait {
        errors.push(wrong(role, hidden.impl_token.span, NOT_GENERIC));
    }
    if let Type::Reference(reference) = plain(&argument.ty)
        && let Some(lifetime) = reference.lifetime.as_ref().filter(|lifetime| lifetime.ident == "static")
    {
        errors.push(wrong(role, lifetime.span(), "gets a request that lives only as long as it is answered: remove `'static`"));
    }
}

fn check_return(role: Role, signature: &Signature, errors: &mut Errors) {
    match &signature.output {
        ReturnType::Type(_, returned) => check_returned(role, returned, errors),
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
    let found = Unnameable::find(answer.as_ref().unwrap_or(plain));
    if role != Role::Middleware
        && let Some(hidden) = found.impl_trait
    {
        errors.push(wrong_at(role, hidden, "cannot hide what it returns: name the type, or `impl Future<Output = ..>`"));
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
fn asked(role: Role, signature: &Signature) -> Vec<(Type, Bound)> {
    let generics = &signature.generics;
    if generics.params.iter().any(|parameter| !matches!(parameter, GenericParam::Lifetime(_))) {
        return Vec::new();
    }
    let mut asked = Vec::new();
    if signature.inputs.len() == role.arguments().len() {
        for (given, expected) in signature.inputs.iter().zip(role.arguments()) {
            if let FnArg::Typed(argument) = given {
                asked.push(((*argument.ty).clone(), expected.bound));
            }
        }
    }
    asked.extend(returned(role, signature));
    asked.retain(|(ty, _)| matches!(Unnameable::find(ty), Unnameable { impl_trait: None, infer: false, .. }));
    for (ty, _) in &mut asked {
        EraseLifetimes(generics).visit_type_mut(ty);
    }
    asked
}

/// The returned type, or that of the future in `-> impl Future<Output = R>`, and the trait it is asked for.
fn returned(role: Role, signature: &Signature) -> Option<(Type, Bound)> {
    let ReturnType::Type(_, returned) = &signature.output else { return None };
    let bound = match role {
        Role::SessionId => match plain(&only_argument(signature)?.ty) {
            Type::Reference(request) if request.mutability.is_some() => Bound::SetsId,
            Type::Reference(_) => Bound::FindsId,
            _ => return None,
        },
        Role::Generate => Bound::GeneratesId,
        Role::Middleware => Bound::Responds,
    };
    match plain(returned) {
        Type::Never(_) => None,
        Type::ImplTrait(future) => output(&future.bounds).map(|output| (output, bound)),
        _ => Some(((**returned).clone(), bound)),
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

/// The type without parentheses, also without the invisible ones of a `$t:ty`.
fn plain(ty: &Type) -> &Type {
    match ty {
        Type::Group(group) => plain(&group.elem),
        Type::Paren(paren) => plain(&paren.elem),
        _ => ty,
    }
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

/// Writes `'_` for the lifetimes that the function declares: the type is named outside of it.
struct EraseLifetimes<'a>(&'a Generics);

impl VisitMut for EraseLifetimes<'_> {
    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if self.0.lifetimes().any(|declared| declared.lifetime == *lifetime) {
            lifetime.ident = Ident::new("_", lifetime.ident.span());
        }
    }
}
