//! Whatever is typed between the parentheses, `session!` expands, and to an expression.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};
use quote::quote;
use syn::Expr;

use super::session;

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

/// A generator of numbers that are the same in every run (xorshift).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).expect("below a usize")
    }

    fn tokens(&mut self, depth: usize) -> TokenStream {
        let mut tokens = TokenStream::new();
        for _ in 0..self.below(12) {
            if depth > 0 && self.below(8) == 0 {
                tokens.extend([self.group(depth - 1)]);
            } else {
                tokens.extend(self.word());
            }
        }
        tokens
    }

    fn group(&mut self, depth: usize) -> TokenTree {
        const DELIMITERS: [Delimiter; 4] = [Delimiter::Parenthesis, Delimiter::Bracket, Delimiter::Brace, Delimiter::None];
        let delimiter = DELIMITERS[self.below(DELIMITERS.len())];
        Group::new(delimiter, self.tokens(depth)).into()
    }

    fn word(&mut self) -> TokenStream {
        WORDS[self.below(WORDS.len())].parse().expect("a token")
    }

    /// The tokens with one of them left out, doubled, replaced or moved.
    fn mutated(&mut self, tokens: TokenStream) -> TokenStream {
        let mut tokens: Vec<TokenTree> = tokens.into_iter().collect();
        for _ in 0..=self.below(3) {
            let at = self.below(tokens.len() + 1);
            match self.below(4) {
                0 if at < tokens.len() => drop(tokens.remove(at)),
                1 if at < tokens.len() => tokens.insert(at, tokens[at].clone()),
                2 if at < tokens.len() => {
                    let other = self.below(tokens.len());
                    tokens.swap(at, other);
                }
                _ => {
                    let word = self.word();
                    tokens.splice(at..at, word);
                }
            }
        }
        tokens.into_iter().collect()
    }
}

fn assert_expands(input: &TokenStream) {
    let output = session(input.clone());
    if let Err(error) = syn::parse2::<Expr>(output.clone()) {
        panic!("{error}\nof: {input}\nin: {output}");
    }
}

#[test]
fn any_tokens_expand_to_an_expression() {
    let mut numbers = Numbers(0x5EED_5EED);
    for _ in 0..20_000 {
        let tokens = numbers.tokens(3);
        assert_expands(&quote!([runtime] #tokens));
        // Nobody calls it so: the path of the runtime is missing, or something else.
        session(tokens);
    }
}

#[test]
fn inputs_that_are_almost_right_expand_to_an_expression() {
    const RIGHT: &[&str] = &[
        "[runtime] <Visit>, session_expire = 7 * 24h, cookie_name = \"visit\", secure = true,",
        "[runtime] shop::Cart<Vec<u8>>, store = RedisStore::connect(url).await?, same_site = None, middleware = |a, b, c| a",
        "[runtime] <<T as Owns>::Data>, default_data = Visit { name: \"x\".into() }, on_store_error = anonymous, domain = DOMAIN",
    ];
    let mut numbers = Numbers(0xA1B2_C3D4);
    for round in 0..20_000 {
        let right: TokenStream = RIGHT[round % RIGHT.len()].parse().expect("tokens");
        assert_expands(&numbers.mutated(right));
    }
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
