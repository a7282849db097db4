//! What a function is as a callback, and what its tokens show to be wrong with it.

use proc_macro2::{Span, TokenStream, TokenTree};
use quote::ToTokens;
use syn::punctuated::Punctuated;
use syn::visit_mut::{self, VisitMut};
use syn::{
    AngleBracketedGenericArguments, Attribute, Error, FnArg, GenericArgument, GenericParam, Generics, Ident, Lifetime,
    LifetimeParam, Meta, Pat, PatType, Path, PathArguments, PredicateLifetime, ReturnType, Safety, Signature, Token, Type,
    TypeImplTrait, TypeInfer, TypeParamBound, TypeTraitObject, WherePredicate, parse_quote,
};

use super::Role;
use super::arguments;
use super::errors::{Errors, wrong, wrong_at};
use super::lifetimes::{EraseLifetimes, UsedLifetimes, has_wrong_lifetime, returns_elided};
use super::parse::{Arguments, Function};
use super::role::Bound;
use super::types::{last_segment, plain};
use crate::written::written;

/// A function, as a callback.
pub(super) struct Callback {
    pub(super) name: Ident,
    /// The types that the compiler is asked about, each with the trait it is asked for.
    pub(super) asked: Vec<Asked>,
    /// Whether the compiler refuses the function itself, for a lifetime or for what it returns: its type is not asked about then.
    pub(super) is_refused: bool,
    /// Whether the function may return a future.
    pub(super) may_wait: bool,
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
    let attributes: Vec<_> = attributes.iter().filter_map(inherited).collect();
    if let Some(other) = other_role(role, signature, given) {
        errors.replace(Error::new(Span::call_site(), wrong_role(role, other, given)));
        return Callback { name: signature.ident.clone(), is_refused: true, asked: Vec::new(), may_wait: false, attributes };
    }
    let found_self = find_self(signature, given);
    check_qualifiers(role, signature, errors);
    check_generics(role, signature, errors);
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
    let is_asked = no_body.is_none() && found_self.is_none();
    let (asked, leaves_type_out) = if is_asked { asked(role, signature, given) } else { (Vec::new(), false) };
    Callback {
        name: signature.ident.clone(),
        is_refused: has_wrong_lifetime(signature, &given.data)
            || returns_no_type(signature)
            || takes_no_type(signature)
            || leaves_type_out,
        asked,
        may_wait: may_wait(role, signature),
        attributes,
    }
}

/// Whether the function may return a future. What a middleware returns at once need not be `Send`, so that is asked only where the tokens show a
/// future; what other callbacks return at once is.
fn may_wait(role: Role, signature: &Signature) -> bool {
    let ReturnType::Type(_, returned) = &signature.output else { return signature.asyncness.is_some() };
    if signature.asyncness.is_some() {
        return true;
    }
    match plain(returned) {
        Type::ImplTrait(future) => output(&future.bounds).is_some(),
        Type::Path(path) => path.path.segments.last().is_some_and(|last| match last.ident.to_string().as_str() {
            "Pin" | "BoxFuture" => true,
            "Option" | "String" | "SessionId" => false,
            _ => role != Role::Middleware,
        }),
        _ => false,
    }
}

/// The role that a function has which takes exactly what that one takes, and nothing that `role` does.
fn other_role(role: Role, signature: &Signature, given: &Arguments) -> Option<Role> {
    let is_of = |role: Role| {
        let arguments = signature.inputs.len() == role.arguments().len();
        let mut pairs = signature.inputs.iter().zip(role.arguments());
        arguments && pairs.all(|(argument, expected)| is_argument(role, argument, expected.segment, given))
    };
    let returns = |names: &[&str], is_optional: bool| match &signature.output {
        ReturnType::Type(_, returned) => {
            let is_option = matches!(plain(returned), Type::Path(path) if path.path.segments.last().is_some_and(|last| last.ident == "Option"));
            is_option == is_optional && last_segment(returned).is_some_and(|last| names.contains(&&*last))
        }
        ReturnType::Default => false,
    };
    let is_setter = || shared_request(signature).is_none();
    let fits = |role: &Role| match role {
        Role::Generate => is_of(*role) && returns(&["String", "SessionId"], false),
        Role::Owner => !given.data.is_empty() && is_of(*role),
        Role::SessionId => is_of(*role) && (is_setter() || returns(&["String", "str", "SessionId"], true)),
        Role::Middleware => is_of(*role),
    };
    // Data may be called `Parts`, too.
    let may_be_data = |other: &Role| role == Role::Owner && given.data.is_empty() && *other == Role::SessionId;
    if is_of(role) { None } else { Role::ALL.into_iter().find(fits).filter(|other| !may_be_data(other)) }
}

fn is_argument(role: Role, argument: &FnArg, segment: &str, given: &Arguments) -> bool {
    let FnArg::Typed(argument) = argument else { return false };
    let Some(last) = last_segment(&argument.ty) else { return false };
    let is_reference = matches!(plain(&argument.ty), Type::Reference(_));
    match role {
        // Any data, where none is named.
        Role::Owner if given.data.is_empty() => is_reference && last != "Parts",
        Role::Owner => is_reference && given.data.iter().any(|data| last_segment(data).as_ref() == Some(&last)),
        Role::SessionId => is_reference && last == segment,
        Role::Generate | Role::Middleware => !is_reference && last == segment,
    }
}

fn wrong_role(role: Role, other: Role, given: &Arguments) -> String {
    let data: Vec<_> = given.data.iter().map(|data| written(&data.to_token_stream())).collect();
    let data = if data.is_empty() { String::new() } else { format!("({})", data.join(", ")) };
    format!(
        "this is the form of {}, and not of {}\n= help: write `#[{}{data}]`\n= note: the signature of {} is {}",
        other.noun(),
        role.noun(),
        other.attribute(),
        role.noun(),
        role.signature(),
    )
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

fn check_generics(role: Role, signature: &Signature, errors: &mut Errors) {
    let Generics { params, where_clause, .. } = &signature.generics;
    let is_fixed = |bounds: &Punctuated<Lifetime, Token![+]>, lifetime| {
        let borrowed = borrowed(role, signature);
        bounds.iter().chain([lifetime]).any(|bound| borrowed.contains(bound))
    };
    for parameter in params {
        match parameter {
            GenericParam::Lifetime(lifetime) if lifetime.bounds.is_empty() => {}
            GenericParam::Lifetime(LifetimeParam { lifetime, bounds, .. }) => {
                if is_fixed(bounds, lifetime) {
                    errors.push(wrong_at(role, parameter, any_lifetime(role)));
                }
            }
            GenericParam::Type(parameter) => errors.push(wrong(role, parameter.ident.span(), NOT_GENERIC)),
            GenericParam::Const(parameter) => errors.push(wrong(role, parameter.ident.span(), NOT_GENERIC)),
        }
    }
    for predicate in where_clause.iter().flat_map(|clause| &clause.predicates) {
        if let WherePredicate::Lifetime(PredicateLifetime { lifetime, bounds, .. }) = predicate
            && is_fixed(bounds, lifetime)
        {
            errors.push(wrong_at(role, predicate, any_lifetime(role)));
        }
    }
}

/// The lifetimes that the function must leave open: that of the reference that it takes, or what an alias of one names. A bound on
/// one, even one that always holds, makes the compiler fix it.
fn borrowed(role: Role, signature: &Signature) -> Vec<Lifetime> {
    match only_argument(signature).map(|argument| plain(&argument.ty)) {
        Some(Type::Reference(reference)) => reference.lifetime.iter().cloned().collect(),
        Some(alias) if role != Role::Middleware => UsedLifetimes::of(alias).named,
        _ => Vec::new(),
    }
}

const fn any_lifetime(role: Role) -> &'static str {
    match role {
        Role::Owner => "must work for data of any lifetime, and a bound on one leaves only some: remove it",
        _ => "must work for a request of any lifetime, and a bound on one leaves only some: remove it",
    }
}

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
        && let Some(hidden) = found.impl_trait.filter(|hidden| !hidden.bounds.iter().any(is_wrong_future))
    {
        let name = match role {
            Role::Owner => "cannot hide what it returns: name the type",
            _ => "cannot hide what it returns: name the type, or `impl Future<Output = ..>`",
        };
        errors.push(wrong_at(role, hidden, name));
    }
    if let Some(future) = local_future(answer.as_ref().unwrap_or(plain)) {
        errors.push(wrong_at(role, future, "returns a future that is `Send`: add `+ Send`"));
    }
}

/// Whether the compiler says that what the function returns is no type, or none that a function can return: a trait without `impl` or
/// `dyn`, a future of something else than an `Output`, a text without `&`.
fn returns_no_type(signature: &Signature) -> bool {
    let ReturnType::Type(_, returned) = &signature.output else { return false };
    match plain(returned) {
        Type::ImplTrait(future) => future.bounds.iter().any(is_wrong_future),
        Type::Path(path) => path.path.segments.last().is_some_and(|last| {
            let inner = match &last.arguments {
                PathArguments::AngleBracketed(arguments) if last.ident == "Option" => arguments.args.first(),
                _ => None,
            };
            let holds_no_value = matches!(inner, Some(GenericArgument::Type(inner)) if is_unsized(plain(inner)));
            holds_no_value || associated(&last.arguments).next().is_some() || is_unsized(returned)
        }),
        returned => is_unsized(returned),
    }
}

/// Whether an argument is of a type that none can be of.
fn takes_no_type(signature: &Signature) -> bool {
    signature.inputs.iter().any(|argument| matches!(argument, FnArg::Typed(argument) if is_unsized(plain(&argument.ty))))
}

/// Traits that are commonly tried as a type.
const TRAITS: &[&str] = &["Display", "Future", "IntoResponse", "OwnerId", "ToString"];

/// A text, a slice or a trait that is not behind a `&` or in a `Box`.
fn is_unsized(ty: &Type) -> bool {
    matches!(ty, Type::Slice(_) | Type::TraitObject(_)) || matches!(ty, Type::Path(path) if path.path.is_ident("str"))
}

/// `Future<Item = R>`, `Iterator<Output = R>`.
fn is_wrong_future(bound: &TypeParamBound) -> bool {
    let TypeParamBound::Trait(bound) = bound else { return false };
    let Some(last) = bound.path.segments.last() else { return false };
    let has = ["Future", "Iterator"].into_iter().zip(["Output", "Item"]).find(|(name, _)| last.ident == name);
    has.is_some_and(|(_, associated_type)| associated(&last.arguments).any(|name| name != associated_type))
}

/// The names in `<Output = R, Item: Clone>`.
fn associated(arguments: &PathArguments) -> impl Iterator<Item = &Ident> {
    let arguments = match arguments {
        PathArguments::AngleBracketed(arguments) => Some(&arguments.args),
        _ => None,
    };
    arguments.into_iter().flatten().filter_map(|argument| match argument {
        GenericArgument::AssocType(bound) => Some(&bound.ident),
        GenericArgument::Constraint(bound) => Some(&bound.ident),
        _ => None,
    })
}

/// The `&Parts` of a callback that only finds the id. A reference to something else is wrong itself.
fn shared_request(signature: &Signature) -> Option<&Type> {
    let ty = &*only_argument(signature)?.ty;
    let Type::Reference(reference) = plain(ty) else { return None };
    let Type::Path(head) = plain(&reference.elem) else { return None };
    if reference.mutability.is_some() {
        return None;
    }
    let name = head.path.segments.last()?.ident.to_string();
    let may_be_head = name == "Parts" || !(name == "str" || name == "String" || arguments::is_known_elsewhere(&name));
    may_be_head.then_some(ty)
}

fn only_argument(signature: &Signature) -> Option<&PatType> {
    match signature.inputs.first()? {
        FnArg::Typed(argument) if signature.inputs.len() == 1 => Some(argument),
        _ => None,
    }
}

/// The types that the compiler is asked about: those of the arguments, where their count is right, and the returned one. And whether there
/// is a `_` in one of them, which the compiler would not have there.
fn asked(role: Role, signature: &Signature, given: &Arguments) -> (Vec<Asked>, bool) {
    let generics = &signature.generics;
    if generics.params.iter().any(|parameter| !matches!(parameter, GenericParam::Lifetime(_))) {
        return (Vec::new(), false);
    }
    let mut asked = Vec::new();
    let mut leaves_type_out = false;
    if signature.inputs.len() == role.arguments().len() {
        for (given_argument, expected) in signature.inputs.iter().zip(role.arguments()) {
            // A trait object is made of the data where the function is called, which only the compiler knows to be possible.
            if let FnArg::Typed(argument) = given_argument
                && !(role == Role::Owner && is_trait_object(&argument.ty))
            {
                let is_named = !given.data.is_empty() && is_argument(role, given_argument, expected.segment, given);
                let is_other = role == Role::Owner && !is_named;
                let is_doubtful = is_other
                    || (matches!(role, Role::Middleware | Role::Owner)
                        && is_doubtful_argument(role, expected.bound, &argument.ty));
                asked.push(Asked { ty: (*argument.ty).clone(), bound: expected.bound, is_now: false, is_doubtful });
            }
        }
    }
    if !returns_elided(signature, &given.data) && !returns_no_type(signature) {
        asked.extend(returned(role, signature));
    }
    asked.retain(|asked| role != Role::Middleware || !is_of_trait_object(&asked.ty));
    asked.retain(|asked| {
        let found = Unnameable::find(&asked.ty);
        leaves_type_out |= found.infer;
        found.impl_trait.is_none() && !found.infer
    });
    // One that is called as an argument is most often that, of which the compiler says that it is no type.
    asked.retain(|asked| !is_name_of_argument(signature, &asked.ty) && !is_unsized(plain(&asked.ty)));
    // A type that names a lifetime that nothing declares is wrong already.
    let declared: Vec<_> = generics.lifetimes().map(|parameter| &parameter.lifetime).collect();
    asked.retain(|asked| UsedLifetimes::of(&asked.ty).are_declared(&declared));
    for asked in &mut asked {
        EraseLifetimes::of(&mut asked.ty);
    }
    (asked, leaves_type_out)
}

/// `Session<dyn Trait>`, which is told already.
fn is_of_trait_object(session: &Type) -> bool {
    let Type::Path(path) = plain(session) else { return false };
    path.path.segments.last().is_some_and(|last| match &last.arguments {
        PathArguments::AngleBracketed(arguments) => {
            matches!(arguments.args.first(), Some(GenericArgument::Type(data)) if matches!(plain(data), Type::TraitObject(_)))
        }
        _ => false,
    })
}

fn is_name_of_argument(signature: &Signature, ty: &Type) -> bool {
    let Type::Path(path) = plain(ty) else { return false };
    let Some(name) = path.path.get_ident() else { return false };
    signature.inputs.iter().any(|argument| match argument {
        FnArg::Typed(argument) => matches!(&*argument.pat, Pat::Ident(pattern) if pattern.ident == *name),
        FnArg::Receiver(_) => false,
    })
}

fn is_trait_object(ty: &Type) -> bool {
    let Type::Reference(reference) = plain(ty) else { return false };
    reference.mutability.is_none() && matches!(plain(&reference.elem), Type::TraitObject(_))
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
        Type::ImplTrait(future) => output(&future.bounds).map(|ty| {
            let is_doubtful = DoubtfulName::is_in(&ty);
            Asked { ty, bound, is_now: true, is_doubtful }
        }),
        _ => {
            let is_doubtful = DoubtfulName::is_in(returned);
            Some(Asked { ty: (**returned).clone(), bound, is_now: signature.asyncness.is_some(), is_doubtful })
        }
    }
}

/// Looks for a name of one word in the arguments of a type, unless the language has it. Where it is not in scope, the compiler offers to
/// declare it as a parameter of the function, which makes another error of each other place that names it. So does a trait in place of a
/// type, of which a name is no proof.
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
        if let Some(last) = path.segments.last().filter(|last| last.arguments.is_none()) {
            let name = last.ident.to_string();
            let is_word = self.depth > 0 && path.get_ident().is_some();
            self.found |= (is_word && name != "String" && name != "str") || TRAITS.contains(&&*name);
        }
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

/// The `dyn Future<Output = R>` without `Send` of `Pin<Box<..>>`. Another type around it may be `Send` nonetheless, or no future.
fn local_future(returned: &Type) -> Option<&TypeTraitObject> {
    match plain(returned) {
        Type::TraitObject(object) if output(&object.bounds).is_some() => {
            (has_bound(object, "Future") && !has_bound(object, "Send")).then_some(object)
        }
        Type::Path(path) => {
            let last = path.path.segments.last().filter(|last| last.ident == "Pin" || last.ident == "Box")?;
            let PathArguments::AngleBracketed(arguments) = &last.arguments else { return None };
            arguments.args.iter().find_map(|argument| match argument {
                GenericArgument::Type(inner) => local_future(inner),
                _ => None,
            })
        }
        _ => None,
    }
}

/// What stands in a type that keeps it from being named in another function.
#[derive(Default)]
struct Unnameable {
    impl_trait: Option<TypeImplTrait>,
    infer: bool,
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
}

fn has_bound(ty: &TypeTraitObject, name: &str) -> bool {
    ty.bounds.iter().any(|bound| match bound {
        TypeParamBound::Trait(bound) => bound.path.segments.last().is_some_and(|segment| segment.ident == name),
        _ => false,
    })
}
