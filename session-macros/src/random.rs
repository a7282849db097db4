//! Random tokens for tests: the same in every run.

use proc_macro2::{Delimiter, Group, Ident, Literal, Punct, Spacing, Span, TokenStream, TokenTree};

/// Every delimiter, the invisible one too.
pub(crate) const DELIMITERS: [Delimiter; 4] = [Delimiter::Parenthesis, Delimiter::Bracket, Delimiter::Brace, Delimiter::None];
const PUNCTUATION: &str = "=<>!~+-*/%^&|@.,;:#$?'";

/// A generator of numbers and tokens (xorshift).
pub(crate) struct Random {
    state: u64,
    words: &'static [&'static str],
}

impl Random {
    /// Of tokens among which are many of these `words`.
    pub(crate) fn new(seed: u64, words: &'static [&'static str]) -> Self {
        Self { state: seed, words }
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        self.state ^= self.state << 13;
        self.state ^= self.state >> 7;
        self.state ^= self.state << 17;
        usize::try_from(self.state % end as u64).expect("below a usize")
    }

    pub(crate) fn one_of(&mut self, texts: &[&str]) -> TokenStream {
        texts[self.below(texts.len())].parse().expect("tokens")
    }

    /// Tokens in no order, in groups up to this `depth`.
    pub(crate) fn tokens(&mut self, depth: usize) -> TokenStream {
        (0..self.below(12)).flat_map(|_| self.token(depth)).collect()
    }

    fn token(&mut self, depth: usize) -> TokenStream {
        match self.below(10) {
            0 if depth > 0 => self.group(depth - 1).into(),
            1 => self.strange(),
            _ => self.one_of(self.words),
        }
    }

    fn group(&mut self, depth: usize) -> TokenTree {
        let delimiter = DELIMITERS[self.below(DELIMITERS.len())];
        Group::new(delimiter, self.tokens(depth)).into()
    }

    /// A token that another macro might hand over, and nobody types.
    fn strange(&mut self) -> TokenStream {
        let punctuation = PUNCTUATION.as_bytes()[self.below(PUNCTUATION.len())];
        let spacing = if self.below(2) == 0 { Spacing::Alone } else { Spacing::Joint };
        match self.below(8) {
            0..=2 => TokenTree::from(Punct::new(punctuation.into(), spacing)).into(),
            3 => TokenTree::from(Literal::string("\0\u{1b}\"\\ \u{10FFFF}")).into(),
            4 => "9".repeat(1 + self.below(400)).parse().expect("a literal"),
            5 => format!("0x{}_u{}", "f".repeat(1 + self.below(80)), self.below(1000)).parse().expect("a literal"),
            6 => TokenTree::from(Ident::new_raw("fn", Span::call_site())).into(),
            _ => "'r#async".parse().unwrap_or_else(|_| TokenStream::new()),
        }
    }

    /// The tokens with up to two of them left out, doubled, swapped or put before another, also inside of groups.
    pub(crate) fn mutated(&mut self, mut tokens: TokenStream) -> TokenStream {
        for _ in 0..self.below(3) {
            tokens = self.changed(tokens);
        }
        tokens
    }

    fn changed(&mut self, tokens: TokenStream) -> TokenStream {
        let mut tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let at = self.below(tokens.len() + 1);
        match (self.below(6), tokens.get(at).cloned()) {
            (0, Some(_)) => drop(tokens.remove(at)),
            (1, Some(token)) => tokens.insert(at, token),
            (2, Some(_)) => {
                let other = self.below(tokens.len());
                tokens.swap(at, other);
            }
            (3 | 4, Some(TokenTree::Group(group))) => {
                let delimiter = if self.below(4) == 0 { DELIMITERS[self.below(DELIMITERS.len())] } else { group.delimiter() };
                tokens[at] = Group::new(delimiter, self.changed(group.stream())).into();
            }
            _ => {
                let inserted = self.token(2);
                tokens.splice(at..at, inserted);
            }
        }
        tokens.into_iter().collect()
    }
}

/// `tokens` in `depth` groups, one in the other.
pub(crate) fn nested(tokens: TokenStream, depth: usize, delimiter: Delimiter) -> TokenStream {
    (0..depth).fold(tokens, |inner, _| TokenTree::from(Group::new(delimiter, inner)).into())
}

/// Deeper than code is. The parser is recursive, so that there is an end to what the stack holds.
pub(crate) const DEEP: usize = 64;

/// Runs it on a stack as large as the one the compiler runs macros on.
pub(crate) fn on_the_compilers_stack(run: fn()) {
    let thread = std::thread::Builder::new().stack_size(8 << 20).spawn(run).expect("a thread");
    thread.join().expect("no panic");
}
