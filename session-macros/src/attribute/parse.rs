//! Reads the attribute's arguments, and of the item what stands before its body.

use proc_macro2::{Delimiter, Group, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::ext::IdentExt as _;
use syn::parse::{ParseStream, Parser as _};
use syn::token::{Brace, Paren};
use syn::visit_mut::VisitMut as _;
use syn::{
    Attribute, Error, FnArg, GenericArgument, Ident, LitStr, Path, PathArguments, Result, ReturnType, Signature, Token, Type,
    Visibility, parse_quote,
};

use super::Role;
use super::errors::{Errors, wrong_at};
use super::lifetimes::{BorrowForever, returns_elided};
use super::types::plain;
use crate::parsed::{is_at_end, parsed};
use crate::written::written;

/// `#[role(Visit, Admin, crate = path)]`.
pub(super) struct Arguments {
    /// The data types to register the function for.
    pub(super) data: Vec<Type>,
    /// The path of `session-runtime`, if given.
    pub(super) runtime: Option<Path>,
    /// Whether that is given, and wrong: there is nothing that the compiler could be asked by then.
    pub(super) runtime_is_wrong: bool,
}

/// The item under the attribute.
#[derive(Default)]
pub(super) struct Item {
    /// As it was given, but for what makes the compiler repeat an error: a second role's attribute, a variadic argument, what borrows
    /// from an argument that is missing, a value of a function that says nothing of it.
    pub(super) tokens: TokenStream,
    /// The `#[cfg]`s on it, which go on all that is generated.
    pub(super) cfg: Vec<Attribute>,
    /// Whether it is nothing that the language knows: the compiler has said what is wrong with it when it read it.
    pub(super) is_no_rust: bool,
    /// What it is, if it is a function.
    pub(super) function: Option<Function>,
}

/// A function, up to its body.
pub(super) struct Function {
    pub(super) attributes: Vec<Attribute>,
    pub(super) signature: Signature,
    /// The `;` of a function without a body.
    pub(super) no_body: Option<Token![;]>,
}

/// One argument of the attribute.
enum Argument {
    Data(Type),
    Runtime(Token![crate], Path),
}

pub(super) fn arguments(role: Role, tokens: TokenStream, errors: &mut Errors) -> Arguments {
    let mut data = Vec::new();
    let mut runtime = None;
    let mut runtime_is_wrong = false;
    let all = |input: ParseStream<'_>| {
        while !input.is_empty() {
            let is_runtime = input.peek(Token![crate]);
            match argument(role, input) {
                Ok(Argument::Data(mut next)) => {
                    if let Some(message) = refused(role, &data, &next) {
                        errors.push(Error::new_spanned(next, message));
                    } else {
                        // A session's data borrows from nothing that ends before the program.
                        BorrowForever::default().visit_type_mut(&mut next);
                        data.push(next);
                    }
                }
                Ok(Argument::Runtime(keyword, _)) if runtime.is_some() => {
                    errors.push(Error::new(keyword.span, "`crate` is given twice"));
                }
                Ok(Argument::Runtime(_, path)) => runtime = Some(path),
                Err(error) => {
                    errors.push(error);
                    runtime_is_wrong |= is_runtime;
                    skip_to_comma(input)?;
                }
            }
            if !input.is_empty()
                && let Err(error) = input.parse::<Token![,]>()
            {
                // Behind another mistake it is most often of the same.
                if errors.is_empty() {
                    errors.push(error);
                }
                runtime_is_wrong |= is_runtime;
                skip_to_comma(input)?;
                input.parse::<Option<Token![,]>>()?;
                if input.peek(Token![=]) {
                    // The comma stands where the `=` should.
                    skip_to_comma(input)?;
                    input.parse::<Option<Token![,]>>()?;
                }
            }
        }
        Ok(())
    };
    if let Err(error) = parsed(tokens, all) {
        errors.push(error);
    }
    Arguments { data, runtime, runtime_is_wrong }
}

fn argument(role: Role, input: ParseStream<'_>) -> Result<Argument> {
    if input.peek(Token![crate]) && !input.peek2(Token![::]) {
        return runtime(input);
    }
    if input.peek(Token![<]) && input.fork().parse::<Type>().is_err() {
        return Err(input.error(format!("the data type is written without `<` and `>`: `#[{}(Visit)]`", role.attribute())));
    }
    if input.peek(Ident::peek_any) && input.peek2(Token![=]) {
        let name = input.call(Ident::parse_any)?;
        input.parse::<Token![=]>()?;
        return Err(Error::new(name.span(), unknown(role, &name, input.parse::<Type>().ok().as_ref())));
    }
    if input.peek(LitStr)
        && let Ok(data) = input.fork().parse::<LitStr>()?.parse::<Type>()
    {
        let data = written(&data.to_token_stream());
        return Err(input.error(format!("the data type is written without quotes: `#[{}({data})]`", role.attribute())));
    }
    if input.peek(syn::Lit) || input.peek(Token![,]) {
        return Err(input.error(takes(role)));
    }
    let data = input.parse().map_err(|error| Error::new(error.span(), unread(&error).unwrap_or_else(|| takes(role))))?;
    if input.peek(Paren) || input.peek(Brace) {
        return Err(input.error(format!("name the data type, not a value of it: `#[{}(Visit)]`", role.attribute())));
    }
    Ok(Argument::Data(data))
}

/// What is said of an argument that ends too early.
fn unread(error: &Error) -> Option<String> {
    is_at_end(error).then(|| "this argument is not finished".to_owned())
}

fn runtime(input: ParseStream<'_>) -> Result<Argument> {
    let keyword: Token![crate] = input.parse()?;
    let equals: Option<Token![=]> = input.parse()?;
    if input.peek(LitStr) {
        return Err(input.error("the path is written without quotes: `crate = path::to::session_runtime`"));
    }
    if equals.is_none() || input.is_empty() || input.peek(Token![,]) {
        return Err(Error::new(keyword.span, NO_PATH));
    }
    match input.call(Path::parse_mod_style) {
        Ok(path) => Ok(Argument::Runtime(keyword, path)),
        Err(error) => Err(Error::new(error.span(), unread(&error).unwrap_or_else(|| NO_PATH.to_owned()))),
    }
}

const NO_PATH: &str = "`crate` has no path: `crate = path::to::session_runtime`";

/// What is said of `name = data`.
fn unknown(role: Role, name: &Ident, data: Option<&Type>) -> String {
    let attribute = role.attribute();
    let help = data.map(|data| format!("\n= help: name the type alone: `#[{attribute}({})]`", written(&data.to_token_stream())));
    format!("there is no argument `{name}`\n= note: {}{}", takes(role), help.unwrap_or_default())
}

fn takes(role: Role) -> String {
    let data = if role == Role::Middleware {
        "the session's data type, to register the function for it"
    } else {
        "the sessions' data types, to register the function for them"
    };
    format!("`#[{}]` takes {data}, and `crate = path`", role.attribute())
}

/// Why `next` cannot stand beside the data types that were given before it.
fn refused(role: Role, before: &[Type], next: &Type) -> Option<String> {
    if let Type::Reference(_) = next {
        return Some("a session owns its data: name the type without `&`".to_owned());
    }
    if let Type::TraitObject(_) | Type::ImplTrait(_) = plain(next) {
        return Some("the data of sessions is one concrete type, such as a struct".to_owned());
    }
    if is_foreign(next) {
        let written = written(&next.to_token_stream());
        return Some(format!(
            "a callback is registered for a data type of this crate, and `{written}` is of another one\n= help: wrap it, `struct \
             Data({written});`, and register for that; or leave the type out here and pass the function by name: \
             `session!(<{written}>, {} = ..)`",
            role.option(),
        ));
    }
    let written = next.to_token_stream().to_string();
    if before.iter().any(|data| data.to_token_stream().to_string() == written) {
        return Some("this data type is given twice".to_owned());
    }
    let second = role == Role::Middleware && !before.is_empty();
    second.then(|| {
        "a session middleware is for one data type: its `Session<T>` names one\n= help: write a second function".to_owned()
    })
}

/// Whether the tokens show that the type is not of this crate. A name does not: a type of this crate may be called `String`, and a module
/// `core`.
const fn is_foreign(data: &Type) -> bool {
    matches!(data, Type::Tuple(_) | Type::Array(_) | Type::Slice(_) | Type::FnPtr(_) | Type::Ptr(_) | Type::Never(_))
}

fn skip_to_comma(input: ParseStream<'_>) -> Result<()> {
    while !input.is_empty() && !input.peek(Token![,]) {
        input.parse::<TokenTree>()?;
    }
    Ok(())
}

/// Of a function that is registered for `data`.
pub(super) fn item(role: Role, tokens: TokenStream, data: &[Type], errors: &mut Errors) -> Item {
    let mut item = Item { tokens: tokens.clone(), ..Item::default() };
    let mut result = Ok(());
    let read = |input: ParseStream<'_>| {
        result = read_item(role, input, data, &mut item, errors);
        // What is left unread is no second mistake.
        input.parse::<TokenStream>().map(drop)
    };
    item.is_no_rust = read.parse2(tokens).and(result).is_err();
    item
}

fn read_item(role: Role, input: ParseStream<'_>, data: &[Type], item: &mut Item, errors: &mut Errors) -> Result<()> {
    let attributes = input.call(Attribute::parse_outer)?;
    let (roles, attributes): (Vec<_>, Vec<_>) = attributes.into_iter().partition(|attribute| role_of(attribute).is_some());
    if !roles.is_empty() {
        let rest: TokenStream = input.fork().parse()?;
        item.tokens = quote!(#(#attributes)* #rest);
    }
    for second in &roles {
        errors.push(Error::new_spanned(second.path(), second_role(role, role_of(second))));
    }
    item.cfg = attributes.iter().filter(|attribute| attribute.path().is_ident("cfg")).cloned().collect();

    let visibility = input.parse::<Visibility>()?;
    if let Some(keyword) = other_item(input) {
        errors.push(Error::new(
            keyword,
            format!("`#[{}]` goes on a function\n= note: the signature is {}", role.attribute(), role.signature()),
        ));
        return Ok(());
    }
    input.parse::<Option<Token![safe]>>()?;
    let signature: Signature = input.parse()?;
    if !input.peek(Brace) && !input.peek(Token![;]) {
        return Err(input.error("expected the function's body"));
    }
    let no_body = if input.peek(Token![;]) { Some(input.parse()?) } else { None };
    let rest: TokenStream = input.parse()?;
    if signature.variadic.is_some() {
        let fixed = Signature { variadic: None, ..signature.clone() };
        item.tokens = quote!(#(#attributes)* #visibility #fixed #no_body #rest);
    }
    if role == Role::Middleware
        && let Some((fixed, object)) = without_trait_object(&signature)
    {
        // The compiler would say it of each use of the type.
        errors.push(wrong_at(role, object, "is for data of one concrete type, such as a struct, and not for a trait object"));
        let mut borrow = BorrowForever::default();
        borrow.visit_return_type_mut(&mut fixed.output.clone());
        let body = match rest.clone().into_iter().next() {
            // A closure cannot be said to return an `impl Trait`.
            Some(TokenTree::Group(body)) if !borrow.is_hidden => swallowed(&fixed, &body, &quote!(loop {})).to_token_stream(),
            _ => rest.clone(),
        };
        item.tokens = quote!(#(#attributes)* #visibility #fixed #no_body #body);
    }
    if matches!(role, Role::SessionId | Role::Owner) && returns_elided(&signature, data) {
        // What it returns borrows from the argument that it lacks, or should borrow.
        let (mut fixed, mut borrow) = (signature.clone(), BorrowForever::default());
        borrow.visit_return_type_mut(&mut fixed.output);
        if borrow.changed {
            let rest = match whole_body(&rest) {
                Some(body) if !signature.inputs.is_empty() && !borrow.is_hidden => {
                    swallowed(&signature, &body, &quote!(loop {})).into()
                }
                _ => rest.clone(),
            };
            item.tokens = quote!(#(#attributes)* #visibility #fixed #no_body #rest);
        }
    }
    if let (true, Some(body)) = (lacks_return(role, &signature), whole_body(&rest)) {
        let swallowed = swallowed(&signature, &body, &TokenStream::new());
        item.tokens = quote!(#(#attributes)* #visibility #signature #swallowed);
    }
    item.function = Some(Function { attributes, signature, no_body });
    Ok(())
}

/// The signature with `Session<()>` for a `Session<dyn Trait>`, and the trait object in that.
fn without_trait_object(signature: &Signature) -> Option<(Signature, Type)> {
    let mut fixed = signature.clone();
    let object = fixed.inputs.iter_mut().find_map(|argument| match argument {
        FnArg::Typed(argument) => session_of_object(&mut argument.ty),
        FnArg::Receiver(_) => None,
    })?;
    Some((fixed, object))
}

/// The trait object in a `Session<dyn Trait>`, which `()` is written for.
fn session_of_object(session: &mut Type) -> Option<Type> {
    let Type::Path(path) = session else { return None };
    let last = path.path.segments.last_mut().filter(|last| last.ident == "Session")?;
    let PathArguments::AngleBracketed(arguments) = &mut last.arguments else { return None };
    match arguments.args.first_mut() {
        Some(GenericArgument::Type(data)) if matches!(plain(data), Type::TraitObject(_)) => {
            Some(std::mem::replace(data, parse_quote!(())))
        }
        _ => None,
    }
}

/// The body in a function of its own, that may return what it does nonetheless.
fn swallowed(signature: &Signature, body: &Group, end: &TokenStream) -> TokenTree {
    let (asyncness, returned) = (&signature.asyncness, &signature.output);
    let inner = match returned {
        ReturnType::Default if asyncness.is_some() => quote!(async #body),
        _ => quote!(#asyncness || #returned #body),
    };
    let mut swallowed = Group::new(Delimiter::Brace, quote!(let _ = #inner; #end));
    swallowed.set_span(body.span());
    swallowed.into()
}

/// Whether the function must return something, and says nothing of it.
fn lacks_return(role: Role, signature: &Signature) -> bool {
    let finds = match signature.inputs.first() {
        Some(FnArg::Typed(request)) if role == Role::SessionId => {
            matches!(plain(&request.ty), Type::Reference(request) if request.mutability.is_none())
        }
        _ => role != Role::SessionId,
    };
    finds && matches!(signature.output, ReturnType::Default)
}

/// A body that is not empty, and so may end in a value.
fn whole_body(rest: &TokenStream) -> Option<Group> {
    let mut rest = rest.clone().into_iter();
    match (rest.next(), rest.next()) {
        (Some(TokenTree::Group(body)), None) if body.delimiter() == Delimiter::Brace && ends_in_value(&body) => Some(body),
        _ => None,
    }
}

fn ends_in_value(body: &Group) -> bool {
    body.stream().into_iter().last().is_some_and(|last| !matches!(last, TokenTree::Punct(end) if end.as_char() == ';'))
}

/// The place of an item that is no function.
fn other_item(input: ParseStream<'_>) -> Option<Span> {
    let is_item = |input: ParseStream<'_>| match input.parse::<syn::Item>()? {
        syn::Item::Fn(_) | syn::Item::Verbatim(_) => Err(input.error("a function, or what is read as one")),
        _ => input.parse::<TokenStream>().map(drop),
    };
    let starts_function = [input.peek(Token![fn]), input.peek(Token![async]), input.peek(Token![safe])].contains(&true);
    (!starts_function && is_item(&input.fork()).is_ok()).then(|| input.span())
}

/// The role whose attribute this is.
fn role_of(attribute: &Attribute) -> Option<Role> {
    let name = &attribute.path().segments.last()?.ident;
    Role::ALL.into_iter().find(|role| name == role.attribute())
}

fn second_role(role: Role, second: Option<Role>) -> String {
    if second == Some(role) {
        format!("`#[{}]` stands twice on this function\n= help: name all data types in one attribute", role.attribute())
    } else {
        format!("this function is {} already: a function has one role", role.noun())
    }
}
