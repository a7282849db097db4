//! The arguments of a callback, where their count is wrong: what is there is told apart by the last segment of its type's path, and
//! what is missing or too much is named so. Where the count is right the compiler is asked, which knows aliases.

use quote::ToTokens as _;
use syn::{FnArg, PatType, Signature, Type};

use super::Role;
use super::errors::{Errors, wrong, wrong_at};
use super::role::Argument;
use super::types::{last_segment, plain};

/// What handlers and axum's middlewares take beside the request, and where a callback finds the same.
const EXTRACTORS: &[(&str, &str)] = &[
    ("State", "capture it: `session!(.., CALLBACK = move |..| ..)`"),
    ("Extension", "it is in `request.extensions`"),
    ("ConnectInfo", "it is in `request.extensions`"),
    ("MatchedPath", "it is in `request.extensions`"),
    ("HeaderMap", "the headers are in `request.headers`"),
    ("TypedHeader", "it is in `request.headers`"),
    ("Method", "it is in `request.method`"),
    ("Uri", "it is in `request.uri`"),
    ("OriginalUri", "it is in `request.uri`"),
    ("Query", "it is in `request.uri`"),
    ("RawQuery", "it is in `request.uri`"),
    ("Path", "it is in `request.uri`"),
    ("Host", "it is in `request.headers`"),
    ("CookieJar", "use `request.cookie(name)`, of `SessionRequestExt`"),
    ("PrivateCookieJar", "use `request.cookie(name)`, of `SessionRequestExt`"),
    ("SignedCookieJar", "use `request.cookie(name)`, of `SessionRequestExt`"),
    ("Cookies", "use `request.cookie(name)`, of `SessionRequestExt`"),
    ("SessionData", "a middleware has `session_system.get_data(&request)`"),
    ("Form", "only a middleware sees the request's body"),
    ("Json", "only a middleware sees the request's body"),
    ("Bytes", "only a middleware sees the request's body"),
    ("Multipart", "only a middleware sees the request's body"),
];

/// An argument that is given, or the place of one that is missing.
enum Given {
    /// The expected one with this index.
    Expected(usize),
    /// Its type says nothing of what it is, as an alias.
    Unknown,
    /// An argument that no callback of this role takes.
    Surplus,
}

/// Says which arguments are missing or too many; `data` is the data type of a middleware, if it is named.
pub(super) fn check_count(role: Role, signature: &Signature, data: Option<&Type>, errors: &mut Errors) {
    let arguments: Vec<_> = signature.inputs.iter().filter_map(typed).collect();
    let expected = role.arguments();
    // One that may be left out is told so.
    let is_conditional = |argument: &&PatType| argument.attrs.iter().any(|attribute| attribute.path().is_ident("cfg"));
    if arguments.len() == expected.len() || arguments.iter().any(is_conditional) {
        return;
    }
    if let ([argument], 2..) = (&arguments[..], expected.len())
        && let Type::Tuple(tuple) = plain(&argument.ty)
        && tuple.elems.len() == expected.len()
    {
        let several = format!("takes {}, not one that is a tuple of them: leave out its parentheses", count(role));
        errors.push(wrong_at(role, tuple, &several));
        return;
    }
    let mut given = classify(role, &arguments);
    let mut missing: Vec<usize> = (0..expected.len()).filter(|index| !has(&given, *index)).collect();
    for place in &mut given {
        if matches!(place, Given::Unknown) && !missing.is_empty() {
            *place = Given::Expected(missing.remove(0));
        }
    }
    let mut surplus = false;
    for (place, argument) in given.iter().zip(&arguments) {
        if !matches!(place, Given::Expected(_)) {
            surplus = true;
            errors.push(wrong_at(role, argument, &too_much(role, argument, expected.len())));
        }
    }
    // One that is missing beside one that is too much, or beside `self`, is found when that is gone: most often it is a mistaken form of
    // the same.
    if surplus || missing.is_empty() || signature.receiver().is_some() {
        return;
    }
    errors.push(wrong(role, signature.paren_token.span.join(), &lacks(role, &missing, &given, &arguments, data)));
}

fn typed(argument: &FnArg) -> Option<&PatType> {
    match argument {
        FnArg::Typed(typed) => Some(typed),
        FnArg::Receiver(_) => None,
    }
}

fn classify(role: Role, arguments: &[&PatType]) -> Vec<Given> {
    let mut given: Vec<Given> = Vec::new();
    for argument in arguments {
        let segment = last_segment(&argument.ty).unwrap_or_default();
        let index = role.arguments().iter().position(|expected| expected.segment == segment);
        // The form of axum's middlewares: what is wrong with the request itself is said of its type.
        let is_request = role == Role::SessionId && segment == "Request" && !has(&given, 0);
        let index = if is_request { Some(0) } else { index };
        given.push(match index {
            Some(index) if !has(&given, index) => Given::Expected(index),
            Some(_) => Given::Surplus,
            None if is_known_elsewhere(&segment) => Given::Surplus,
            None => Given::Unknown,
        });
    }
    given
}

fn has(given: &[Given], index: usize) -> bool {
    given.iter().any(|given| matches!(given, Given::Expected(found) if *found == index))
}

/// A type that is certainly not what an alias of an expected one is called.
pub(super) fn is_known_elsewhere(segment: &str) -> bool {
    extractor(segment).is_some() || Role::ALL.iter().any(|role| role.arguments().iter().any(|other| other.segment == segment))
}

/// Where a callback finds what the extractor of this name reads.
fn extractor(segment: &str) -> Option<&'static str> {
    EXTRACTORS.iter().find(|(name, _)| *name == segment).map(|(_, instead)| *instead)
}

fn too_much(role: Role, argument: &PatType, expected: usize) -> String {
    let segment = last_segment(&argument.ty).unwrap_or_default();
    if let Some(instead) = extractor(&segment) {
        let instead = instead.replace("CALLBACK", role.option());
        return format!("takes no extractors: remove this `{segment}`; {}", within(role, &instead));
    }
    let other = Role::ALL.iter().find(|other| **other != role && other.arguments().iter().any(|it| it.segment == segment));
    if let (Some(other), false) = (other, expected == 0 || role.arguments().iter().any(|own| own.segment == segment)) {
        return format!("takes no `{segment}`, which is an argument of {}: remove it", other.noun());
    }
    match expected {
        0 => "takes no argument: remove this one".to_owned(),
        1 => "takes one argument: remove this one".to_owned(),
        _ => "takes three arguments: remove this one".to_owned(),
    }
}

/// A middleware has the whole request, whose parts are behind methods.
fn within(role: Role, instead: &str) -> String {
    match role {
        Role::Generate => "an id is made of nothing but random numbers".to_owned(),
        Role::Owner => "the owner is computed from the session's data alone".to_owned(),
        Role::Middleware if instead.contains("body") => "the body is in `request`".to_owned(),
        Role::Middleware if instead.contains(" in `request.") => {
            format!("{}()`", instead.trim_end_matches('`'))
        }
        Role::SessionId | Role::Middleware => instead.to_owned(),
    }
}

/// What is missing, and how the function is written with it.
fn lacks(role: Role, missing: &[usize], given: &[Given], arguments: &[&PatType], data: Option<&Type>) -> String {
    let stands_for =
        |index: usize| given.iter().zip(arguments).find(|(given, _)| matches!(given, Given::Expected(of) if *of == index));
    let all = role.arguments().iter().enumerate().map(|(index, expected)| match stands_for(index) {
        Some((_, argument)) => source(argument),
        None => written(expected, data),
    });
    let all: Vec<_> = all.collect();
    let names = role.arguments().iter().enumerate().filter(|(index, _)| missing.contains(index));
    let names: Vec<_> = names.map(|(_, expected)| format!("`{}`", written(expected, data))).collect();
    let are = if missing.len() == 1 { "is" } else { "are" };
    let names = names.join(" and ");
    match role {
        _ if arguments.is_empty() && role == Role::SessionId => "takes the head of the request: `request: &mut Parts`".to_owned(),
        Role::Middleware if missing == [0] => format!(
            "is given the session system before the request: {names} is missing\n= help: write `({})`\n= help: a middleware that needs \
             no session needs no attribute: give it to `axum::middleware::from_fn`",
            all.join(", "),
        ),
        _ => format!("takes {}: {names} {are} missing\n= help: write `({})`", count(role), all.join(", ")),
    }
}

const fn count(role: Role) -> &'static str {
    match role {
        Role::SessionId | Role::Owner => "one argument",
        Role::Generate => "no argument",
        Role::Middleware => "three arguments",
    }
}

/// How an argument stands in the documented signature, with the data type in it.
fn written(argument: &Argument, data: Option<&Type>) -> String {
    let Argument { name, segment, .. } = argument;
    match *segment {
        "Session" => {
            let data = data.map_or_else(|| "T".to_owned(), |data| crate::written::written(&data.to_token_stream()));
            format!("{name}: Session<{data}>")
        }
        "Parts" => format!("{name}: &mut Parts"),
        "&T" => {
            let data = data.map_or_else(|| "T".to_owned(), |data| crate::written::written(&data.to_token_stream()));
            format!("{name}: &{data}")
        }
        _ => format!("{name}: {segment}"),
    }
}

fn source(argument: &PatType) -> String {
    let (pattern, ty) = (argument.pat.to_token_stream(), argument.ty.to_token_stream());
    format!("{}: {}", crate::written::written(&pattern), crate::written::written(&ty))
}
