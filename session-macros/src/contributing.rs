//! The expansions that CONTRIBUTING shows are those that the macros give.

use std::fs;
use std::path::Path;

use proc_macro2::TokenStream;

use crate::attribute::{Role, expand};
use crate::setup::session;

/// The code blocks of the section, without their fences.
fn shown() -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../CONTRIBUTING.md");
    let text = fs::read_to_string(path).expect("CONTRIBUTING");
    let (_, section) = text.split_once("## What the macros expand to").expect("the section");
    let (section, _) = section.split_once("\n## ").expect("the next section");
    let blocks = section.split("```rust\n").skip(1);
    blocks.map(|block| block.split("```").next().unwrap_or_default().to_owned()).collect()
}

fn tokens(text: &str) -> TokenStream {
    text.parse().expect("tokens")
}

/// The tokens, however far apart: a `>` before another one may be joined to it or not.
fn letters(tokens: &TokenStream) -> String {
    tokens.to_string().split_whitespace().collect()
}

#[test]
fn contributing_shows_a_registered_callback() {
    let shown = shown().into_iter().next().expect("a first block");
    let (item, _) = shown.split_once("\n\nimpl").expect("a function before the impl");
    let expansion = expand(Role::SessionId, tokens("Visit"), tokens(item));
    assert_eq!(letters(&tokens(&shown)), letters(&expansion), "{expansion}");
}

#[test]
fn contributing_shows_a_layer() {
    let shown = shown().into_iter().nth(1).expect("a second block");
    let call = shown.lines().next().and_then(|line| line.strip_prefix("// session!(")?.strip_suffix(')')).expect("the call");
    let expansion = session(tokens(&format!("[::session_runtime] {call}")));
    assert_eq!(letters(&tokens(&shown)), letters(&expansion), "{expansion}");
}
