//! The input as pieces: the runtime's path, the data type, and a name and value for each option, as far as they can be told
//! apart. What cannot be made out is an error, and the reading goes on behind it.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::quote;
use syn::parse::{ParseStream, Parser};
use syn::{Error, Expr, Token, Type};

use super::duration;
use super::options::{self, Choice};
use super::tokens::written;

/// `session!`'s input, taken apart.
pub(super) struct Pieces {
    /// The path of the runtime crate.
    pub(super) krate: TokenStream,
    /// The data type as it was typed.
    pub(super) data: TokenStream,
    /// Whether that is a type.
    pub(super) data_is_type: bool,
    pub(super) options: Vec<Piece>,
    pub(super) errors: Vec<Error>,
    /// Whether some of the input is in no piece, so that an option may be missing that was given.
    pub(super) lost: bool,
}

/// An option as it was typed.
pub(super) struct Piece {
    pub(super) name: Ident,
    pub(super) value: TokenStream,
    /// Why the value cannot be used.
    pub(super) error: Option<Error>,
}

impl Pieces {
    pub(super) fn of(input: TokenStream) -> Self {
        let mut tokens: Vec<TokenTree> = input.into_iter().collect();
        let krate = match tokens.first() {
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Bracket => {
                let krate = group.stream();
                tokens.remove(0);
                krate
            }
            _ => quote!(::session_runtime),
        };
        let mut reader = Reader { tokens: &tokens, at: 0, errors: Vec::new(), lost: false };
        let data = reader.data_type();
        let data_is_type = reader.errors.is_empty();
        let options = reader.options();
        Self { krate, data, data_is_type, options, errors: reader.errors, lost: reader.lost }
    }
}

struct Reader<'a> {
    tokens: &'a [TokenTree],
    at: usize,
    errors: Vec<Error>,
    lost: bool,
}

impl Reader<'_> {
    /// The data type, `<T>` or `T`, and the comma behind it.
    fn data_type(&mut self) -> TokenStream {
        let start = self.at;
        match self.try_data_type() {
            Ok(data) => {
                if let Some(error) = wrong_data_type(&data) {
                    self.errors.push(error);
                }
                self.comma();
                data
            }
            Err(error) => {
                self.errors.push(error);
                // A type that is half typed ends at the first comma.
                self.at = (start..self.tokens.len()).find(|at| self.is_punct(*at, ',')).unwrap_or(self.tokens.len());
                let data = self.between(start, self.at);
                self.at += 1;
                data
            }
        }
    }

    fn try_data_type(&mut self) -> Result<TokenStream, Error> {
        let start = self.at;
        self.missing_data_type()?;
        if let Ok(read) = self.count(bracketed_type) {
            self.at += read;
            return Ok(self.between(start + 1, self.at - 1));
        }
        match self.count(|input| input.parse::<Type>().map(drop)) {
            Ok(read) => {
                self.at += read;
                Ok(self.between(start, self.at))
            }
            Err(error) => {
                Err(Error::new(error.span(), "expected the data type of the sessions: `session!(<T>, option = value, ..)`"))
            }
        }
    }

    /// Whether an option, or nothing, stands where the data type should.
    fn missing_data_type(&self) -> Result<(), Error> {
        let Some(first) = self.tokens.get(self.at) else {
            return Err(Error::new(Span::call_site(), "name the data type of the sessions: `session!(<T>)`"));
        };
        if self.is_punct(self.at, '<') && self.is_punct(self.at + 1, '>') {
            return Err(Error::new(first.span(), "name the data type of the sessions: `session!(<T>)`"));
        }
        let TokenTree::Ident(name) = first else {
            return Ok(());
        };
        let is_named = self.is_punct(self.at + 1, '=') || (self.is_punct(self.at + 1, ':') && !self.is_punct(self.at + 2, ':'));
        let is_option = options::find(&name.to_string()).is_some() && !self.is_punct(self.at + 1, ':');
        if is_named || is_option {
            return Err(Error::new(name.span(), format!("the data type comes first: `session!(<T>, {name} = ..)`")));
        }
        Ok(())
    }

    fn options(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        while let Some(token) = self.tokens.get(self.at) {
            if let TokenTree::Ident(name) = token {
                self.at += 1;
                pieces.push(self.option(name.clone()));
                continue;
            }
            self.errors.push(Error::new(token.span(), "expected an option: `name = value`"));
            self.lost = true;
            self.skip_to_next();
        }
        pieces
    }

    /// An option behind its name, and the comma behind it.
    fn option(&mut self, name: Ident) -> Piece {
        if self.is_at_end() {
            let error = Error::new(name.span(), missing_value(&name));
            self.at += 1;
            return Piece { name, value: TokenStream::new(), error: Some(error) };
        }
        if let Some(TokenTree::Group(group)) = self.tokens.get(self.at)
            && group.delimiter() == Delimiter::Parenthesis
        {
            let error = Error::new(group.span(), right_form(&name));
            self.at += 1;
            self.comma();
            return Piece { name, value: group.stream(), error: Some(error) };
        }
        self.equals(&name);
        let start = self.at;
        if self.is_at_end() {
            let span = self.tokens[start - 1].span();
            self.at += 1;
            return Piece { error: Some(Error::new(span, missing_value(&name))), name, value: TokenStream::new() };
        }
        match self.count(|input| input.parse::<Expr>().map(drop)) {
            Ok(read) => {
                self.at += read;
                let value = self.between(start, self.at);
                self.comma();
                Piece { name, value, error: None }
            }
            Err(error) => {
                self.at = self.end_of_option();
                let value = self.between(start, self.at);
                self.at += 1;
                let error = Error::new(error.span(), format!("`{name}` has a value that is no expression: {error}"));
                Piece { name, value, error: Some(error) }
            }
        }
    }

    /// The `=` between name and value, or what stands there instead.
    fn equals(&mut self, name: &Ident) {
        let (span, right) = (self.tokens[self.at].span(), right_form(name));
        if self.is_punct(self.at, '=') {
            self.at += 1;
            if self.is_punct(self.at, '=') || self.is_punct(self.at, '>') {
                self.errors.push(Error::new(span, right));
                self.at += 1;
            }
            return;
        }
        self.errors.push(Error::new(span, right));
        if self.is_punct(self.at, ':') {
            self.at += 1;
        }
    }

    /// The comma behind the data type or an option, unless nothing follows.
    fn comma(&mut self) {
        if self.is_at_end() {
            self.at += 1;
            return;
        }
        if let Some(error) = self.unit_apart() {
            self.errors.push(error);
            self.at += 1;
            return self.comma();
        }
        let is_option = self.is_option(self.at);
        let expected = if is_option { "expected `,` before this option" } else { "expected `,`" };
        self.errors.push(Error::new(self.tokens[self.at].span(), expected));
        if !is_option {
            self.lost = true;
            self.skip_to_next();
        }
    }

    /// `30 m` in two words.
    fn unit_apart(&self) -> Option<Error> {
        let [.., TokenTree::Literal(number), TokenTree::Ident(name)] = self.tokens.get(..=self.at)? else { return None };
        let unit = duration::unit(&name.to_string()).filter(|_| !self.is_punct(self.at + 1, '='))?;
        Some(Error::new(name.span(), format!("a duration is one word: write `{number}{unit}`")))
    }

    fn skip_to_next(&mut self) {
        self.at = self.end_of_option() + 1;
    }

    /// The next comma that has an option, or nothing, behind it.
    fn end_of_option(&self) -> usize {
        let is_end = |at: &usize| self.is_punct(*at, ',') && (*at + 1 == self.tokens.len() || self.is_option(*at + 1));
        (self.at..self.tokens.len()).find(is_end).unwrap_or(self.tokens.len())
    }

    /// Whether an option starts here: a name with its `=`, or one that is still typed.
    fn is_option(&self, at: usize) -> bool {
        let is_name = matches!(self.tokens.get(at), Some(TokenTree::Ident(_)));
        is_name && (self.is_punct(at + 1, '=') || self.is_punct(at + 1, ',') || at + 1 == self.tokens.len())
    }

    fn is_at_end(&self) -> bool {
        self.at >= self.tokens.len() || self.is_punct(self.at, ',')
    }

    fn is_punct(&self, at: usize, wanted: char) -> bool {
        matches!(self.tokens.get(at), Some(TokenTree::Punct(punct)) if punct.as_char() == wanted)
    }

    fn between(&self, start: usize, end: usize) -> TokenStream {
        self.tokens.get(start..end).unwrap_or_default().iter().cloned().collect()
    }

    /// How many tokens from here on `parse` reads.
    fn count(&self, parse: fn(ParseStream<'_>) -> Result<(), Error>) -> Result<usize, Error> {
        let tokens = self.between(self.at, self.tokens.len());
        let rest = (|input: ParseStream<'_>| {
            parse(input)?;
            input.parse::<TokenStream>()
        })
        .parse2(tokens)?;
        let end = self.tokens.len().saturating_sub(rest.into_iter().count());
        // It may end inside of a group without delimiters, which is one token here.
        parse.parse2(self.between(self.at, end))?;
        Ok(end - self.at)
    }
}

fn right_form(name: &Ident) -> String {
    let example = options::find(&name.to_string()).map_or_else(|| format!("{name} = .."), Choice::example);
    format!("an option is written `{example}`")
}

fn missing_value(name: &Ident) -> String {
    match options::find(&name.to_string()) {
        Some(choice) => format!("`{name}` has no value: it takes {}, as in `{}`", choice.takes(), choice.example()),
        None => format!("`{name}` has no value: `{name} = ..`"),
    }
}

/// `<T>`, but not the start of `<T>::Item`.
fn bracketed_type(input: ParseStream<'_>) -> Result<(), Error> {
    input.parse::<Token![<]>()?;
    input.parse::<Type>()?;
    input.parse::<Token![>]>()?;
    if input.peek(Token![::]) { Err(input.error("the start of a path")) } else { Ok(()) }
}

/// Why this type cannot be the data of sessions, as far as it can be seen.
fn wrong_data_type(data: &TokenStream) -> Option<Error> {
    let data_type = match syn::parse2::<Type>(data.clone()) {
        Ok(data_type) => data_type,
        Err(error) => return Some(error),
    };
    let message = match &data_type {
        Type::Reference(reference) => {
            let owned = &reference.elem;
            format!("a session owns its data: name the type without `&`, `session!(<{}>)`", written(&quote!(#owned)))
        }
        Type::ImplTrait(_) => "the data of sessions is one concrete type, not `impl Trait`: `session!(<Visit>)`".to_owned(),
        Type::TraitObject(_) => "the data of sessions is one concrete type, not `dyn Trait`: `session!(<Visit>)`".to_owned(),
        Type::Infer(_) => "name the data type: `_` does not say which callbacks are registered, `session!(<Visit>)`".to_owned(),
        Type::Never(_) | Type::Slice(_) | Type::Ptr(_) => {
            "the data of sessions is a type of which a session can keep a value, such as a struct: `session!(<Visit>)`".to_owned()
        }
        _ => return None,
    };
    Some(Error::new_spanned(data, message))
}
