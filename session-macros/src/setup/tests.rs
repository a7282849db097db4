//! Whatever is typed between the parentheses, `session!` expands, and to an expression.

use proc_macro2::{TokenStream, TokenTree};
use quote::quote;
use syn::Expr;

use super::session;
use crate::random::{DEEP, DELIMITERS, Random, nested, on_the_compilers_stack};

/// Pieces of inputs, right and wrong.
const WORDS: &[&str] = &[
    "<",
    ">",
    "Visit",
    "Vec",
    "u8",
    "=",
    ",",
    ":",
    "::",
    ";",
    "&",
    "*",
    "-",
    "!",
    "|",
    "#",
    "$",
    "'a",
    "'x'",
    "..",
    "=>",
    "==",
    "?",
    ".",
    "default_data",
    "session_id_callback",
    "middleware",
    "session_expire",
    "absolute_expire",
    "store",
    "cookie_name",
    "same_site",
    "secure",
    "path",
    "domain",
    "persistent",
    "on_store_error",
    "store_timeout",
    "sesion_expire",
    "Lax",
    "lax",
    "None",
    "Fail",
    "NAME",
    "name",
    "true",
    "false",
    "24h",
    "30min",
    "1.5h",
    "0",
    "5u64",
    "1e3",
    "99999999999999999999999999999999999999999d",
    "0x1d",
    "0b1s",
    "\"a b\"",
    "b\"x\"",
    "c\"x\"",
    "r#\"x\"#",
    "b'x'",
    "1_f32",
    "SameSite",
    "Duration",
    "from_secs",
    "if",
    "else",
    "match",
    "async",
    "await",
    "move",
    "fn",
    "impl",
    "dyn",
    "for",
    "as",
    "const",
    "unsafe",
    "return",
    "let",
    "_",
    "self",
    "Self",
    "crate",
    "r#type",
];

fn assert_expands(input: &TokenStream) {
    let output = session(input.clone());
    if let Err(error) = syn::parse2::<Expr>(output.clone()) {
        panic!("{error}\nof: {input}\nin: {output}");
    }
}

#[test]
fn any_tokens_expand_to_an_expression() {
    let mut random = Random::new(0x5EED_5EED, WORDS);
    for _ in 0..20_000 {
        let tokens = random.tokens(3);
        assert_expands(&quote!([runtime] #tokens));
        // Nobody calls it so: the path of the runtime is missing, or something else.
        session(tokens);
    }
}

#[test]
fn inputs_that_are_almost_right_expand_to_an_expression() {
    const RIGHT: &[&str] = &[
        "<Visit>, session_expire = 7 * 24h, cookie_name = \"visit\", secure = true,",
        "shop::Cart<Vec<u8>>, store = RedisStore::connect(url).await?, same_site = None, middleware = |a, b, c| a",
        "<<T as Owns>::Data>, default_data = Visit { name: \"x\".into() }, on_store_error = anonymous, domain = DOMAIN",
    ];
    let mut random = Random::new(0xA1B2_C3D4, WORDS);
    for round in 0..6_000 {
        let right: TokenStream = RIGHT[round % RIGHT.len()].parse().expect("tokens");
        let mutated = random.mutated(right);
        assert_expands(&quote!([runtime] #mutated));
    }
}

#[test]
fn deep_nesting_expands_to_an_expression() {
    on_the_compilers_stack(|| {
        for delimiter in DELIMITERS {
            let deep = nested(quote!(1), DEEP, delimiter);
            assert_expands(&quote!([runtime] <#deep>));
            assert_expands(&quote!([runtime] #deep, session_expire = #deep));
            assert_expands(
                &quote!([runtime] <Visit>, session_expire = #deep, cookie_name = #deep, store = #deep, middleware #deep),
            );
        }
        let deep = format!("[runtime] {}u8{}, session_expire = {}1", "Vec<".repeat(DEEP), ">".repeat(DEEP), "-".repeat(DEEP));
        assert_expands(&deep.parse().expect("tokens"));
    });
}

#[test]
fn an_input_that_is_cut_anywhere_expands_to_an_expression() {
    let right: TokenStream =
        "[runtime] <shop::Cart<u8>>, store = MemoryStore::new(), same_site = Lax, session_expire = 2 * 1h, path = \"/\""
            .parse()
            .expect("tokens");
    let tokens: Vec<TokenTree> = right.into_iter().collect();
    for end in 0..=tokens.len() {
        assert_expands(&tokens[..end].iter().cloned().collect());
    }
}
