//! Random tokens: whatever stands under an attribute, and in it, the macro answers, and gives the item back.

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

use super::{Role, expand};

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
    "$",
    "~",
    "é",
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
    "unsafe extern \"C\" fn variadic<'r: 'static, T, const N: usize>(self: &Self, x: u8, args: ...) -> !;",
    "#[session_id_callback(Visit)] #[generate_session_id] mod callbacks { fn inner() {} }",
];

const ARGUMENTS: &[&str] =
    &["", "Visit", "Visit, crate::Admin, data::Cart<(u8, u8)>, crate = ::session_runtime,", "crate = \"path\", name = 1, 4"];

#[test]
fn whatever_the_tokens_the_macro_answers_and_gives_the_item_back() {
    let mut random = Random(0x9E37_79B9_7F4A_7C15);
    let mut registered = 0;
    for round in 0..ROUNDS {
        let role = Role::ALL[random.below(Role::ALL.len())];
        let arguments = random.stream(ARGUMENTS);
        let item = random.stream(ITEMS);
        let output = expand(role, arguments.clone(), item.clone()).to_string();
        registered += u32::from(output.contains(":: Registered"));
        let text = item.to_string();
        let changed = text.contains("session_id") || text.contains("...") || text.contains(". . .");
        assert!(changed || output.starts_with(&text), "round {round}: {role:?} of `{arguments}` on `{text}` gave `{output}`");
    }
    assert!(registered > ROUNDS / 100, "the tokens are too random: {registered} of {ROUNDS} registered a callback");
}

#[test]
fn an_item_that_is_no_callback_is_given_back_with_an_error() {
    for item in ["struct Callback;", "", "fn", "fn callback", "fn callback(request: &mut Parts);", "4 + 4"] {
        for role in Role::ALL {
            let item: TokenStream = item.parse().unwrap();
            let output = expand(role, TokenStream::new(), item.clone()).to_string();
            assert!(output.starts_with(&item.to_string()), "{output}");
            assert!(output.contains("compile_error"), "{output}");
        }
    }
}

/// Xorshift: the same tokens in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % end as u64).unwrap()
    }

    /// One of `whole`, changed in some places; or tokens without any order.
    fn stream(&mut self, whole: &[&str]) -> TokenStream {
        let start = if self.below(8) == 0 { "" } else { whole[self.below(whole.len())] };
        let mut stream = start.parse().unwrap();
        for _ in 0..self.below(4).saturating_sub(1) {
            stream = self.change(stream);
        }
        stream
    }

    /// Leaves a token out, doubles it, swaps it with the next, puts another before it, or does so inside of a group.
    fn change(&mut self, stream: TokenStream) -> TokenStream {
        let mut tokens: Vec<TokenTree> = stream.into_iter().collect();
        let at = self.below(tokens.len() + 1);
        match self.below(6) {
            0 if at < tokens.len() => drop(tokens.remove(at)),
            1 if at < tokens.len() => tokens.insert(at, tokens[at].clone()),
            2 if at + 1 < tokens.len() => tokens.swap(at, at + 1),
            3 | 4 if matches!(tokens.get(at), Some(TokenTree::Group(_))) => {
                let TokenTree::Group(group) = &tokens[at] else { unreachable!() };
                tokens[at] = Group::new(group.delimiter(), self.change(group.stream())).into();
            }
            _ => {
                let pieces = self.pieces();
                tokens.splice(at..at, pieces);
            }
        }
        tokens.into_iter().collect()
    }

    fn pieces(&mut self) -> TokenStream {
        let mut pieces = TokenStream::new();
        for _ in 0..=self.below(3) {
            let piece: TokenStream = PIECES[self.below(PIECES.len())].parse().unwrap();
            let delimiters = [Delimiter::Parenthesis, Delimiter::Bracket, Delimiter::Brace, Delimiter::None];
            match self.below(3) {
                0 => pieces.extend([TokenTree::from(Group::new(delimiters[self.below(4)], piece))]),
                _ => pieces.extend(piece),
            }
        }
        pieces
    }
}
