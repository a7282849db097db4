//! The input as pieces: the runtime's path, the data type, and a name and value for each option, as far as they can be told
//! apart. What cannot be made out is an error, and the reading goes on behind it.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::ext::IdentExt as _;
use syn::parse::{Parse as _, ParseStream, Parser as _};
use syn::{Error, Expr, Token, Type};

use super::duration;
use super::options::{self, Choice};
use crate::written::written;

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
    /// The value as an expression, or why it is none.
    pub(super) expr: Result<Expr, Error>,
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
        let mut reader = Reader { tokens: &tokens, at: 0, data_is_type: false, errors: Vec::new(), lost: false };
        let data = reader.data_type();
        let data_is_type = reader.data_is_type;
        let options = reader.options();
        Self { krate, data, data_is_type, options, errors: reader.errors, lost: reader.lost }
    }
}

struct Reader<'a> {
    tokens: &'a [TokenTree],
    at: usize,
    data_is_type: bool,
    errors: Vec<Error>,
    lost: bool,
}

impl Reader<'_> {
    /// The data type, `<T>` or `T`, and the comma behind it.
    fn data_type(&mut self) -> TokenStream {
        let start = self.at;
        match self.try_data_type() {
            Ok(data) => {
                match wrong_data_type(&data) {
                    Some(error) => self.errors.push(error),
                    None => self.data_is_type = true,
                }
                if let Err(error) = self.comma(None) {
                    self.errors.push(error);
                }
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
        if let Ok(((), read)) = self.read(bracketed_type) {
            self.at += read;
            return Ok(self.between(start + 1, self.at - 1));
        }
        if let Ok(((first, second), read)) = self.read(several_bracketed) {
            self.errors.push(Error::new_spanned(second, ONE_DATA_TYPE));
            self.at += read;
            return Ok(first.into_token_stream());
        }
        match self.read(Type::parse) {
            Ok((_, read)) => {
                self.at += read;
                Ok(self.between(start, self.at))
            }
            Err(_) if self.is_unfinished_type() => {
                Err(Error::new(self.last_span(self.tokens.len()), "the data type is not finished"))
            }
            Err(error) => {
                Err(Error::new(error.span(), "expected the data type of the sessions: `session!(<T>, option = value, ..)`"))
            }
        }
    }

    fn is_unfinished_type(&self) -> bool {
        let rest = self.between(self.at, self.tokens.len());
        let would_be = |more: TokenStream| syn::parse2::<Type>(rest.clone().into_iter().chain(more).collect()).is_ok();
        would_be(quote!(x)) || would_be(quote!(x>)) || would_be(quote!(>)) || would_be(quote!(>::x)) || would_be(quote!(x > ::x))
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
                let name = self.name(name);
                pieces.push(self.option(name));
                continue;
            }
            let error = match self.read(bracketed_type) {
                Ok(_) if pieces.is_empty() => ONE_DATA_TYPE,
                _ => "expected an option: `name = value`",
            };
            self.errors.push(Error::new(token.span(), error));
            self.lost = true;
            self.skip_to_next();
        }
        pieces
    }

    /// The whole of a name, also where it is written with `-`.
    fn name(&mut self, name: &Ident) -> Ident {
        let name = name.unraw();
        let mut whole = name.to_string();
        while self.is_punct(self.at, '-')
            && let Some(TokenTree::Ident(part)) = self.tokens.get(self.at + 1)
        {
            whole = format!("{whole}_{part}");
            self.at += 2;
        }
        if name == whole {
            return name;
        }
        // One that lacks its value is told its right name then.
        if !self.is_at_end() {
            self.errors.push(Error::new(name.span(), format!("an option's name is one word: write `{whole}`")));
        }
        let mut joined = syn::parse_str(&whole).unwrap_or_else(|_| name.clone());
        joined.set_span(name.span());
        joined
    }

    /// An option behind its name, and the comma behind it.
    fn option(&mut self, name: Ident) -> Piece {
        if self.is_at_end() {
            let error = if is_type_name(&name) {
                Error::new(name.span(), ONE_DATA_TYPE)
            } else {
                Error::new(name.span(), missing_value(&name))
            };
            self.at += 1;
            return Piece { name, value: TokenStream::new(), expr: Err(error) };
        }
        if let Some(TokenTree::Group(group)) = self.tokens.get(self.at)
            && group.delimiter() == Delimiter::Parenthesis
        {
            let error = Error::new(group.span(), right_form(&name));
            self.at += 1;
            // What is behind it is no second mistake.
            if self.comma(Some(&name)).is_err() {
                self.lost = true;
            }
            return Piece { name, value: group.stream(), expr: Err(error) };
        }
        self.equals(&name);
        let start = self.at;
        if self.is_at_end() {
            let span = self.last_span(start);
            self.at += 1;
            return Piece { expr: Err(Error::new(span, missing_value(&name))), name, value: TokenStream::new() };
        }
        match self.read(Expr::parse) {
            Ok((expr, read)) => {
                self.at += read;
                let value = self.between(start, self.at);
                let expr = self.in_words(start, &name).map_or(Ok(expr), Err);
                let comma = self.comma(Some(&name));
                Piece { name, value, expr: comma.and(expr) }
            }
            Err(error) => {
                let error = self.unfinished(start, &name).unwrap_or_else(|| {
                    self.at = self.end_of_option();
                    Error::new(error.span(), format!("`{name}` has a value that is no expression: {error}"))
                });
                let value = self.between(start, self.at);
                self.at += 1;
                Piece { name, value, expr: Err(error) }
            }
        }
    }

    /// A value from `start` on that is still typed: it would be an expression with something more at the end of the input, or of the option.
    fn unfinished(&mut self, start: usize, name: &Ident) -> Option<Error> {
        for end in [self.tokens.len(), self.end_of_option()] {
            let value = self.between(start, end);
            let would_be = |more: TokenStream| syn::parse2::<Expr>(value.clone().into_iter().chain(more).collect()).is_ok();
            let span = match syn::parse2::<Expr>(value.clone()) {
                _ if would_be(quote!(x)) || would_be(quote!({})) || would_be(quote!(x {})) || would_be(quote!(>::x)) => {
                    self.last_span(end)
                }
                // At the end of a group.
                Err(error) if is_end(&error) => error.span(),
                _ => continue,
            };
            self.at = end;
            return Some(Error::new(span, format!("the value of `{name}` is not finished")));
        }
        None
    }

    /// The place of the token before `end`.
    fn last_span(&self, end: usize) -> Span {
        end.checked_sub(1).map_or_else(Span::call_site, |last| self.span(last))
    }

    fn span(&self, at: usize) -> Span {
        self.tokens.get(at).map_or_else(Span::call_site, TokenTree::span)
    }

    /// `30 m`, `24h 30m`, `1 hour and 30 minutes` behind `start`, for a duration: what is behind the value is read, too.
    fn in_words(&mut self, start: usize, name: &Ident) -> Option<Error> {
        let is_duration = options::find(&name.to_string()).is_some_and(Choice::is_duration);
        if !is_duration || self.is_at_end() {
            return None;
        }
        let end = self.end_of_option();
        let meant = duration::in_words(self.between(start, end))?;
        let span = self.tokens.get(self.at)?.span();
        self.at = end;
        Some(Error::new(span, format!("a duration is one number with its unit, or a sum of such: write `{name} = {meant}`")))
    }

    /// The `=` between name and value, or what stands there instead.
    fn equals(&mut self, name: &Ident) {
        if self.is_punct(self.at, '=') && !self.is_punct(self.at + 1, '=') && !self.is_punct(self.at + 1, '>') {
            self.at += 1;
            return;
        }
        self.errors.push(Error::new(self.span(self.at), right_form(name)));
        // `==`, `=>`, `:=`, `+=`, and `:` alone.
        if self.is_punct(self.at, ':') || self.is_punct(self.at, '=') || self.is_punct(self.at + 1, '=') {
            self.at += 1;
        }
        if self.is_punct(self.at, '=') || self.is_punct(self.at, '>') {
            self.at += 1;
        }
    }

    /// The comma behind the data type, or behind the option `name`, unless nothing follows. What follows instead is an error, or
    /// where that is an option, one beside the value.
    fn comma(&mut self, name: Option<&Ident>) -> Result<(), Error> {
        if self.is_at_end() {
            self.at += 1;
            return Ok(());
        }
        let span = self.span(self.at);
        if self.is_option(self.at) {
            self.errors.push(Error::new(span, "expected `,` before this option"));
            return Ok(());
        }
        self.lost |= name.is_none();
        self.skip_to_next();
        let choice = name.and_then(|name| options::find(&name.to_string())).filter(|choice| choice.is_duration());
        let takes = choice.map(|choice| format!("; `{}` takes {}", choice.name, choice.takes())).unwrap_or_default();
        Err(Error::new(span, format!("expected `,`{takes}")))
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
        let mut at = at;
        let is_name = matches!(self.tokens.get(at), Some(TokenTree::Ident(_)));
        while self.is_punct(at + 1, '-') && matches!(self.tokens.get(at + 2), Some(TokenTree::Ident(_))) {
            at += 2;
        }
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

    /// What `parse` reads from here on, and how many tokens that is.
    fn read<T>(&self, parse: fn(ParseStream<'_>) -> Result<T, Error>) -> Result<(T, usize), Error> {
        let tokens = self.tokens.get(self.at..).unwrap_or_default();
        let (read, rest) = (|input: ParseStream<'_>| Ok((parse(input)?, input.parse::<TokenStream>()?)))
            .parse2(tokens.iter().cloned().collect())?;
        let count = tokens.len().saturating_sub(rest.into_iter().count());
        let is_wrapped = |token: &TokenTree| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::None);
        if tokens.iter().any(is_wrapped) {
            // It may end inside of a group without delimiters, which is one token here.
            parse.parse2(self.between(self.at, self.at + count))?;
        }
        Ok((read, count))
    }
}

/// A layer is for one data type.
pub(super) const ONE_DATA_TYPE: &str =
    "a layer is for one data type: give the router a second one, `.layer(session!(<..>))`, with another `cookie_name`";

/// Whether the input ended too early.
fn is_end(error: &Error) -> bool {
    error.to_string().starts_with("unexpected end of input")
}

/// Whether a name without a value is the second data type of `session!(Visit, Admin)`.
fn is_type_name(name: &Ident) -> bool {
    options::find(&name.to_string()).is_none() && name.to_string().starts_with(char::is_uppercase)
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

/// The first two types of `<T, U>`.
fn several_bracketed(input: ParseStream<'_>) -> Result<(Type, Type), Error> {
    input.parse::<Token![<]>()?;
    let first = input.parse()?;
    separator(input)?;
    let second = input.parse()?;
    while !input.peek(Token![>]) {
        separator(input)?;
        if !input.peek(Token![>]) {
            input.parse::<Type>()?;
        }
    }
    input.parse::<Token![>]>()?;
    Ok((first, second))
}

fn separator(input: ParseStream<'_>) -> Result<(), Error> {
    if input.peek(Token![;]) { input.parse::<Token![;]>().map(drop) } else { input.parse::<Token![,]>().map(drop) }
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
