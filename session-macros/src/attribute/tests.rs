//! Random tokens: whatever stands under an attribute, and in it, the macro answers, and gives the item back.

use proc_macro2::TokenStream;
use quote::quote;

use super::{Role, expand};
use crate::random::{DEEP, DELIMITERS, Random, nested, on_the_compilers_stack};

const ROUNDS: u32 = 20_000;

/// What functions and attributes are made of, so that random tokens get far into the parser.
const PIECES: &[&str] = &[
    "fn",
    "async",
    "const",
    "unsafe",
    "extern",
    "\"C\"",
    "pub",
    "crate",
    "self",
    "mut",
    "where",
    "impl",
    "dyn",
    "for",
    "struct",
    "callback",
    "request",
    "Parts",
    "Session",
    "Future",
    "Output",
    "Option",
    "String",
    "_",
    "r#type",
    "'r",
    "'static",
    "'_",
    "&",
    "*",
    "=",
    "->",
    ":",
    "::",
    ",",
    ";",
    "!",
    "#",
    "<",
    ">",
    "+",
    "...",
    "|",
    "1",
    "\"text\"",
    "cfg",
    "unix",
    "expect",
    "allow",
    "dead_code",
    "deprecated",
    "session_id_callback",
    "generate_session_id",
    "session_owner",
    "$",
    "~",
    "é",
    "'x'",
    "b\"\\xff\"",
    "c\"x\"",
    "r#\"x\"#",
    "1e999",
    "1.5h",
];

/// Items that are right, or nearly, to be broken.
const ITEMS: &[&str] = &[
    "fn callback(request: &mut Parts) {}",
    "#[doc = \"text\"] pub(super) async fn callback<'r>(request: &'r Parts) -> Option<&'r str> { None }",
    "#[cfg(unix)] #[expect(dead_code)] fn callback((a, _): (&mut Parts, u8), b: impl Fn() -> u8) -> impl Future<Output = ()> + '_ {}",
    "#[deprecated] async fn generate() -> String { String::new() }",
    "async fn generate() -> String { String::new() }",
    "fn generate() -> Pin<Box<dyn Future<Output = SessionId> + Send>> where String: Sized { todo!() }",
    "pub async fn middleware(_: Session<Visit>, request: Request, next: Next) -> impl IntoResponse { next.run(request).await }",
    "async fn middleware(#[cfg(unix)] s: Session<Visit>, request: Request, next: Next) -> Response { next.run(request).await }",
    "fn owner(visit: &Visit) -> Option<&str> { visit.name.as_deref() }",
    "pub fn owner(#[allow(unused)] data: &dyn HasUser) -> Option<Account> { None }",
    "unsafe extern \"C\" fn variadic<'r: 'static, T, const N: usize>(self: &Self, x: u8, args: ...) -> !;",
    "#[session_id_callback(Visit)] #[generate_session_id] mod callbacks { fn inner() {} }",
];

const ARGUMENTS: &[&str] =
    &["", "Visit", "Visit, crate::Admin, data::Cart<(u8, u8)>, crate = ::session_runtime,", "crate = \"path\", name = 1, 4"];

#[test]
fn whatever_the_tokens_the_macro_answers_and_gives_the_item_back() {
    let mut random = Random::new(0x9E37_79B9_7F4A_7C15, PIECES);
    let mut registered = 0;
    for _ in 0..ROUNDS {
        let role = Role::ALL[random.below(Role::ALL.len())];
        let arguments = stream(&mut random, ARGUMENTS);
        let item = stream(&mut random, ITEMS);
        registered += u32::from(assert_given_back(role, &arguments, &item).contains(":: Registered"));
    }
    assert!(registered > ROUNDS / 100, "the tokens are too random: {registered} of {ROUNDS} registered a callback");
}

/// One of `whole`, changed in some places; or tokens without any order.
fn stream(random: &mut Random, whole: &[&str]) -> TokenStream {
    if random.below(8) == 0 {
        return random.tokens(3);
    }
    let whole = random.one_of(whole);
    random.mutated(whole)
}

/// The expansion, which begins with the item unless a part of it makes the compiler repeat an error.
fn assert_given_back(role: Role, arguments: &TokenStream, item: &TokenStream) -> String {
    let output = expand(role, arguments.clone(), item.clone()).to_string();
    let text = item.to_string();
    let borrows_from_nothing = text.contains("() -> ") && text.contains('&');
    let returns_nothing = !text.contains("->");
    let changed =
        returns_nothing || text.contains("session_") || text.contains("...") || text.contains(". . .") || borrows_from_nothing;
    assert!(changed || output.starts_with(&text), "{role:?} of `{arguments}` on `{text}` gave `{output}`");
    output
}

#[test]
fn deep_nesting_is_answered() {
    on_the_compilers_stack(|| {
        for delimiter in DELIMITERS {
            let deep = nested(quote!(Visit), DEEP, delimiter);
            let items = [
                quote!(fn callback(request: #deep) -> #deep #deep),
                quote!(fn callback(#deep: &mut Parts) -> impl Future<Output = #deep> where #deep: Send { #deep }),
                quote!(#[cfg #deep] fn callback() -> Option<Box<#deep>> {}),
                deep.clone(),
            ];
            for role in Role::ALL {
                for item in &items {
                    assert_given_back(role, &deep, item);
                }
            }
        }
        let deep = format!("fn callback(request: {}Parts{}) {{}}", "Option<&mut ".repeat(DEEP), ">".repeat(DEEP));
        assert_given_back(Role::SessionId, &TokenStream::new(), &deep.parse().expect("tokens"));
    });
}

#[test]
fn an_item_that_is_no_callback_is_given_back_with_an_error() {
    for item in ["struct Callback;", "fn callback(request: &mut Parts);", "mod callbacks { }", "static ID: fn() -> String = id;"]
    {
        for role in Role::ALL {
            let item: TokenStream = item.parse().unwrap();
            let output = expand(role, TokenStream::new(), item.clone()).to_string();
            assert!(output.starts_with(&item.to_string()), "{output}");
            assert!(output.contains("compile_error"), "{output}");
        }
    }
}

#[test]
fn what_the_compiler_says_of_the_item_is_not_said_again() {
    for item in [
        "fn async callback(request: &mut Parts) {}",
        "fn callback",
        "fn callback -> String {}",
        "fn callback(): String {}",
        "fn callback() => String {}",
        "fn callback(request) {}",
        "fn callback(Parts request) {}",
        "fn callback(length: usize = 32) -> String {}",
        "fn callback(request: Parts Parts) {}",
        "async fn fn callback() {}",
        "pub async callback() {}",
        "let callback = || 4;",
        "4 + 4",
    ] {
        for role in Role::ALL {
            let item: TokenStream = item.parse().unwrap();
            let output = expand(role, TokenStream::new(), item.clone()).to_string();
            assert!(output.starts_with(&item.to_string()), "{output}");
            assert!(!output.contains("compile_error"), "{output}");
        }
    }
}
