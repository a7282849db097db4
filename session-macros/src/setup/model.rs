//! The pieces as options: known, each given once, with a value that the option takes.

use proc_macro2::{Ident, Span, TokenStream, TokenTree};
use quote::quote;
use syn::Error;

use super::options::{self, Choice, Constant, Kind, OPTIONS};
use super::parse::{Piece, Pieces};
use super::tokens::{ends, located, own, written};
use super::{constant, duration, suggest};

/// What is to be generated.
pub(super) struct Setup {
    pub(super) krate: TokenStream,
    /// The data type; none where there is no usable one.
    pub(super) data: Option<TokenStream>,
    pub(super) options: Vec<Given>,
    /// The names of options given twice: the first, and a later one.
    pub(super) twice: Vec<(Ident, Ident)>,
    pub(super) errors: Vec<Error>,
    /// Whether `default_data` may have been given in what could not be read.
    pub(super) lost: bool,
}

/// An option that is given.
pub(super) struct Given {
    pub(super) choice: &'static Choice,
    pub(super) name: Ident,
    /// An expression.
    pub(super) value: TokenStream,
    /// Where the value was typed.
    pub(super) at: (Span, Span),
}

impl Setup {
    pub(super) fn of(pieces: Pieces) -> Self {
        let Pieces { krate, data, data_is_type, options, errors, lost } = pieces;
        let mut setup = Self { krate, data: None, options: Vec::new(), twice: Vec::new(), errors, lost };
        let written = if data_is_type { written(&data) } else { "T".to_owned() };
        for piece in options {
            setup.add(piece, &written);
        }
        setup.data = data_is_type.then_some(data);
        setup
    }

    fn add(&mut self, piece: Piece, data: &str) {
        let Some(choice) = options::find(&piece.name.to_string()) else {
            self.lost = true;
            self.errors.push(Error::new(piece.name.span(), unknown(&piece.name)));
            return;
        };
        if let Some(first) = self.options.iter().find(|given| given.choice.name == choice.name) {
            self.twice.push((first.name.clone(), piece.name));
            return;
        }
        let at = ends(&piece.value);
        match self.value(choice, &piece, data) {
            Ok(value) => self.options.push(Given { choice, name: piece.name, value, at }),
            Err(error) => {
                self.lost |= matches!(choice.kind, Kind::Data);
                self.errors.push(error);
            }
        }
    }

    fn value(&self, choice: &Choice, piece: &Piece, data: &str) -> Result<TokenStream, Error> {
        if let Some(error) = &piece.error {
            return Err(error.clone());
        }
        let value = piece.value.clone();
        let Kind::Constant { is, .. } = choice.kind else {
            return Ok(value);
        };
        if let Constant::Word { of, words } = is
            && let Some(word) = sole_ident(&value)
        {
            return self.word(choice, of, words, &word, data);
        }
        constant::check(choice, is, &value, data)?;
        match is {
            Constant::Duration => duration::seconds(value),
            Constant::Text | Constant::Flag | Constant::Word { .. } => Ok(value),
        }
    }

    /// A bare word, in any letter case, as the variant it means; else the name of a constant.
    fn word(
        &self,
        choice: &Choice,
        of: &'static str,
        words: &'static [&'static str],
        word: &Ident,
        data: &str,
    ) -> Result<TokenStream, Error> {
        let text = word.to_string();
        if let Some(known) = words.iter().find(|known| known.eq_ignore_ascii_case(&text)) {
            let krate = located(&self.krate, word.span());
            let (of, variant) = (Ident::new(of, own(word.span())), Ident::new(known, own(word.span())));
            return Ok(quote!(#krate::#of::#variant));
        }
        if text.chars().any(char::is_uppercase) && text == text.to_uppercase() {
            return Ok(quote!(#word));
        }
        if let Some(meant) = suggest::nearest(&text, words) {
            return Err(Error::new(word.span(), format!("`{}` takes {}: did you mean `{meant}`?", choice.name, choice.takes())));
        }
        if text.starts_with(char::is_lowercase) && text != "true" && text != "false" {
            constant::check(choice, Constant::Word { of, words }, &quote!(#word), data)?;
        }
        Err(Error::new(word.span(), format!("`{}` takes {}", choice.name, choice.takes())))
    }
}

fn unknown(name: &Ident) -> String {
    let text = name.to_string();
    let names: Vec<_> = OPTIONS.iter().map(|choice| choice.name).collect();
    if let Some(meant) = suggest::nearest(&text, &names) {
        return format!("`session!` has no option `{text}`: did you mean `{meant}`?");
    }
    format!("`session!` has no option `{text}`; its options are {}", names.join(", "))
}

fn sole_ident(tokens: &TokenStream) -> Option<Ident> {
    let mut tokens = tokens.clone().into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Ident(ident)), None) => Some(ident),
        _ => None,
    }
}
