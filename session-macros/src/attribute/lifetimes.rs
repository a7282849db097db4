//! The lifetimes that a signature names, declares and leaves out.

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::ToTokens as _;
use syn::visit_mut::{self, VisitMut};
use syn::{
    BoundLifetimes, FnArg, GenericParam, Ident, Lifetime, LifetimeParam, Macro, PathSegment, ReturnType, Signature, Type,
    TypeFnPtr, TypeImplTrait, TypeReference,
};

use super::types::plain;

/// Whether the signature names a lifetime that nothing declares, or returns a reference that borrows from no argument.
pub(super) fn has_wrong_lifetime(signature: &Signature, data: &[Type]) -> bool {
    let mut used = UsedLifetimes::default();
    used.visit_signature_mut(&mut signature.clone());
    !used.are_declared(&[]) || returns_elided(signature, data)
}

/// Whether the function returns a reference, and takes nothing that it could borrow from, or does not say from which.
pub(super) fn returns_elided(signature: &Signature, data: &[Type]) -> bool {
    let ReturnType::Type(_, returned) = &signature.output else { return false };
    let mut returned = UsedLifetimes::of(returned);
    returned.named.retain(|name| name.ident == "_");
    let borrows_twice = signature.inputs.len() == 1 && signature.inputs.iter().all(is_reference_to_reference);
    (returned.elided || !returned.named.is_empty())
        && (borrows_twice || signature.inputs.iter().all(|argument| is_owned(argument, data)))
}

/// `&&T`, of which it is not known what is borrowed from.
fn is_reference_to_reference(argument: &FnArg) -> bool {
    let FnArg::Typed(argument) = argument else { return false };
    let elided = |ty: &Type| match plain(ty) {
        Type::Reference(reference) if reference.lifetime.is_none() => Some(reference.elem.clone()),
        _ => None,
    };
    elided(&argument.ty).and_then(|inner| elided(&inner)).is_some()
}

/// A type that is known to have no lifetime, such as the data. The path of another one may hide it, as `type Head<'a> = &'a Parts` does in `head: Head`.
fn is_owned(argument: &FnArg, data: &[Type]) -> bool {
    let FnArg::Typed(argument) = argument else { return false };
    let Type::Path(path) = plain(&argument.ty) else { return false };
    let last = path.path.segments.last();
    let is_known = |last: &PathSegment| {
        let is_session = last.ident == "Session" && UsedLifetimes::of(&argument.ty).has_none();
        is_session || (last.arguments.is_none() && OWNED.iter().any(|known| last.ident == known))
    };
    if last.is_some_and(is_known) {
        return true;
    }
    let written = argument.ty.to_token_stream().to_string();
    data.iter().any(|data| data.to_token_stream().to_string() == written)
}

const OWNED: &[&str] = &["Parts", "Request", "HeaderMap", "Next", "String"];

#[derive(Default)]
pub(super) struct UsedLifetimes {
    declared: Vec<Lifetime>,
    pub(super) named: Vec<Lifetime>,
    /// There is a reference without a lifetime.
    elided: bool,
}

impl UsedLifetimes {
    pub(super) fn of(ty: &Type) -> Self {
        let mut used = Self::default();
        used.visit_type_mut(&mut ty.clone());
        used
    }

    fn has_none(&self) -> bool {
        self.named.is_empty() && !self.elided
    }

    /// Whether the type, or the function with these parameters, declares all that it names.
    pub(super) fn are_declared(&self, parameters: &[&Lifetime]) -> bool {
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
pub(super) struct EraseLifetimes {
    /// Those that the type declares itself, by `for<'r>`.
    own: Vec<Lifetime>,
}

impl EraseLifetimes {
    pub(super) fn of(ty: &mut Type) {
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

/// Writes `'static` for the lifetimes that are left out.
#[derive(Default)]
pub(super) struct BorrowForever {
    pub(super) changed: bool,
    /// Whether there is an `impl Trait`, which no closure can be said to return.
    pub(super) is_hidden: bool,
}

impl VisitMut for BorrowForever {
    fn visit_type_impl_trait_mut(&mut self, hidden: &mut TypeImplTrait) {
        self.is_hidden = true;
        visit_mut::visit_type_impl_trait_mut(self, hidden);
    }

    fn visit_type_reference_mut(&mut self, reference: &mut TypeReference) {
        self.changed |= reference.lifetime.is_none();
        reference.lifetime.get_or_insert_with(|| Lifetime::new("'static", reference.and_token.span));
        visit_mut::visit_type_reference_mut(self, reference);
    }

    fn visit_lifetime_mut(&mut self, lifetime: &mut Lifetime) {
        if lifetime.ident == "_" {
            self.changed = true;
            lifetime.ident = Ident::new("static", lifetime.ident.span());
        }
    }
}
