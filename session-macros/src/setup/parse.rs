//! The input as pieces: the runtime's path, the data type, and a name and value for each option, as far as they can be told
//! apart. What cannot be made out is an error, and the reading goes on behind it.

use proc_macro2::{Delimiter, Ident, Spacing, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::ext::IdentExt as _;
use syn::parse::{Parse as _, ParseStream};
use syn::{Error, Expr, Lit, Token, Type, TypeReference};

use super::duration;
use super::options::{self, Choice, Kind};
use super::tokens::Krate;
use crate::parsed::{is_at_end, parsed};
use crate::written::written;

/// `session!`'s input, taken apart.
pub(super) struct Pieces {
    /// The path of the runtime crate.
    pub(super) krate: Krate,
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
        let krate = Krate::new(krate);
        let mut reader =
            Reader { tokens: &tokens, at: 0, data_is_type: false, errors: Vec::new(), lost: false, without_comma: None };
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
    /// Where the last option starts that has no comma before it, which the last error says.
    without_comma: Option<usize>,
}

impl Reader<'_> {
    /// The data type, `<T>` or `T`, and the comma behind it.
    fn data_type(&mut self) -> TokenStream {
        let start = self.at;
        match self.try_data_type() {
            Ok(data) => {
                if let Some(error) = wrong_data_type(&data).or_else(|| self.value_of_type()) {
                    self.errors.push(error);
                    // What is behind it is no second mistake.
                    self.lost |= self.comma(None).is_err();
                } else {
                    self.data_is_type = true;
                    // A comma that was written inside of the brackets is told so, and is not missed behind them.
                    let is_missed = self.errors.is_empty() || !self.is_option(self.at);
                    if is_missed && let Err(error) = self.comma(None) {
                        self.errors.push(error);
                    }
                }
                data
            }
            Err(error) => {
                self.errors.push(error);
                if self.is_punct(start, ',') {
                    // What stands behind it is no second mistake.
                    self.at = self.tokens.len();
                    return TokenStream::new();
                }
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
        if let Ok(((first, separator), read)) = self.read(separated_bracketed) {
            let data = written(&first.to_token_stream());
            self.errors.push(Error::new(separator, format!("the data type ends here: `session!(<{data}>, option = value, ..)`")));
            self.at += read;
            return Ok(first.into_token_stream());
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
        [quote!(x), quote!(x>), quote!(>), quote!(>::x), quote!(x > ::x), quote!(::x), quote!(::x>)].into_iter().any(would_be)
    }

    /// Whether a value stands where the data type should: `Visit { .. }`, `Visit::default()`.
    fn value_of_type(&self) -> Option<Error> {
        let Some(TokenTree::Group(group)) = self.tokens.get(self.at) else { return None };
        (group.delimiter() != Delimiter::None).then(|| {
            Error::new(
                group.span(),
                "`session!` takes the data type, not a value of it: `session!(<T>)`, or `session!(<T>, default_data = ..)`",
            )
        })
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
            let option = if is_option { format!("{name} = ..") } else { "option = value, ..".to_owned() };
            return Err(Error::new(name.span(), format!("the data type comes first: `session!(<T>, {option})`")));
        }
        Ok(())
    }

    fn options(&mut self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        while let Some(token) = self.tokens.get(self.at) {
            if let TokenTree::Ident(name) = token {
                if self.is_second_type() {
                    self.errors.push(Error::new(name.span(), ONE_DATA_TYPE));
                    self.lost = true;
                    self.skip_to_next();
                    continue;
                }
                let start = self.at;
                self.at += 1;
                let name = self.declared(name).unwrap_or_else(|| self.name(name));
                let mut piece = self.option(name);
                if self.without_comma == Some(start) && piece.value.is_empty() {
                    self.errors.pop();
                    piece.expr = Err(Error::new(piece.name.span(), alone(&piece.name)));
                }
                pieces.push(piece);
                continue;
            }
            let error = match self.read(bracketed_type) {
                Ok(_) if pieces.is_empty() => ONE_DATA_TYPE.to_owned(),
                _ => self.no_name(token),
            };
            self.errors.push(Error::new(token.span(), error));
            self.lost = true;
            self.skip_to_next();
        }
        pieces
    }

    /// What is said of what stands where an option's name should.
    fn no_name(&self, token: &TokenTree) -> String {
        let next = self.tokens.get(self.at + 1);
        match (token, next) {
            (TokenTree::Literal(literal), _) => match Lit::new(literal.clone()) {
                Lit::Str(name) if options::find(&name.value()).is_some() => {
                    format!("an option's name is written without quotes: `{} = ..`", name.value())
                }
                _ => "expected an option: `name = value`".to_owned(),
            },
            (TokenTree::Punct(punct), Some(TokenTree::Group(group)))
                if punct.as_char() == '#' && group.delimiter() == Delimiter::Bracket =>
            {
                "an option takes no attribute: choose its value by `cfg!(..)`, or put `#[cfg(..)]` on the statement with the whole \
                 `session!(..)`"
                    .to_owned()
            }
            (TokenTree::Punct(punct), Some(TokenTree::Ident(name)))
                if punct.as_char() == '!' && options::find(&name.to_string()).is_some_and(Choice::is_flag) =>
            {
                format!("an option is written `{name} = false`")
            }
            _ => "expected an option: `name = value`".to_owned(),
        }
    }

    /// Whether a path stands where an option should: the second data type of `session!(<Visit>, crate::Admin)`.
    fn is_second_type(&self) -> bool {
        let is_path = self.is_punct(self.at + 1, ':') && self.is_punct(self.at + 2, ':');
        is_path
            && self
                .read(Type::parse)
                .is_ok_and(|(_, read)| self.at + read == self.tokens.len() || self.is_punct(self.at + read, ','))
    }

    /// The name behind `let` and the like.
    fn declared(&mut self, keyword: &Ident) -> Option<Ident> {
        let is_keyword = ["let", "mut", "const", "static", "pub", "ref"].iter().any(|declares| keyword == declares);
        let Some(TokenTree::Ident(name)) = self.tokens.get(self.at).filter(|_| is_keyword) else { return None };
        self.at += 1;
        let name = self.name(name);
        self.errors.push(Error::new(keyword.span(), right_form(&name)));
        Some(name)
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
        // One that lacks its value, or is not known, is told its right name then.
        if !self.is_at_end() && options::find(&whole).is_some() {
            self.errors.push(Error::new(name.span(), format!("an option's name is one word: write `{whole}`")));
        }
        let mut joined = syn::parse_str(&whole).unwrap_or_else(|_| name.clone());
        joined.set_span(name.span());
        joined
    }

    /// An option behind its name, and the comma behind it.
    fn option(&mut self, name: Ident) -> Piece {
        if self.has_comma_for_equals(self.at) {
            let error = Error::new(self.span(self.at), right_form(&name));
            self.at += 2;
            let mut piece = self.value(name, self.at);
            piece.expr = Err(error);
            return piece;
        }
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
        let form = self.equals(&name);
        let start = self.at;
        if let Err((error, false)) = form {
            return self.unread(name, start, error);
        }
        let mut piece = self.value(name, start);
        if let Err((error, true)) = form {
            piece.expr = Err(error);
        }
        piece
    }

    /// An option behind its `=`.
    fn value(&mut self, name: Ident, start: usize) -> Piece {
        if self.is_at_end() {
            let span = self.last_span(start);
            self.at += 1;
            if self.at < self.tokens.len() && !self.is_option(self.at) {
                // The value stands behind the comma.
                self.lost = true;
                self.skip_to_next();
            }
            return Piece { expr: Err(Error::new(span, missing_value(&name))), name, value: TokenStream::new() };
        }
        if let Some(error) = self.keyword(&name) {
            return self.unread(name, start, error);
        }
        match self.read(Expr::parse) {
            Ok((Expr::Assign(assign), _)) => {
                let error = Error::new(assign.eq_token.span, format!("`{name}` has one value: put `,` before the next option"));
                self.unread(name, start, error)
            }
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
                    no_expression(&name, &error)
                });
                let value = self.between(start, self.at);
                self.at += 1;
                Piece { name, value, expr: Err(error) }
            }
        }
    }

    /// An option whose value cannot be used, from `start` to the next option.
    fn unread(&mut self, name: Ident, start: usize, error: Error) -> Piece {
        self.at = self.end_of_option();
        let value = self.between(start, self.at);
        self.at += 1;
        Piece { name, value, expr: Err(error) }
    }

    /// A keyword in place of the value, which the compiler would take for a path, or for what it does not know yet.
    fn keyword(&self, name: &Ident) -> Option<Error> {
        let Some(TokenTree::Ident(keyword)) = self.tokens.get(self.at) else { return None };
        let is_one_of = |words: &[&str]| words.iter().any(|word| keyword == word);
        let is_all = self.end_of_option() == self.at + 1;
        let choice = options::find(&name.to_string());
        let diverges = is_one_of(DIVERGE) && choice.is_some_and(|choice| !matches!(choice.kind, Kind::Data));
        let is_keyword = is_one_of(UNSTABLE) || (is_all && (is_one_of(NO_EXPRESSION) || diverges));
        is_keyword.then(|| {
            let takes = choice.map(|choice| format!("`{name}` takes {}, and ", choice.takes())).unwrap_or_default();
            Error::new(keyword.span(), format!("{takes}`{keyword}` is a keyword"))
        })
    }

    /// A value from `start` on that is still typed: it would be an expression with something more at the end of the input, or of the option.
    fn unfinished(&mut self, start: usize, name: &Ident) -> Option<Error> {
        for end in [self.tokens.len(), self.end_of_option()] {
            let value = self.between(start, end);
            let would_be = |more: TokenStream| syn::parse2::<Expr>(value.clone().into_iter().chain(more).collect()).is_ok();
            let span = match parsed(value.clone(), Expr::parse) {
                _ if would_be(quote!(x)) || would_be(quote!({})) || would_be(quote!(x {})) || would_be(quote!(>::x)) => {
                    self.last_span(end)
                }
                // At the end of a group.
                Err(error) if is_at_end(&error) => error.span(),
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

    /// The `=` between name and value. What stands there instead is an error, and whether a value may follow it.
    fn equals(&mut self, name: &Ident) -> Result<(), (Error, bool)> {
        let mut operator = String::new();
        for token in self.tokens.get(self.at..).unwrap_or_default() {
            let TokenTree::Punct(punct) = token else { break };
            operator.push(punct.as_char());
            if punct.spacing() == Spacing::Alone || operator.len() == 2 {
                break;
            }
        }
        let error = Error::new(self.span(self.at), right_form(name));
        match operator.as_str() {
            ":" | "==" | "=>" | ":=" | "+=" | "|=" | "&=" | "<-" | "->" | "?=" => {
                self.at += operator.len();
                Err((error, true))
            }
            _ if operator.starts_with('=') => {
                self.at += 1;
                Ok(())
            }
            _ => Err((error, false)),
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
        let is_known = || match self.tokens.get(self.at) {
            Some(TokenTree::Ident(next)) => self.is_punct(self.at + 1, '=') || options::find(&next.unraw().to_string()).is_some(),
            _ => true,
        };
        if self.is_option(self.at) && is_known() {
            self.errors.push(Error::new(span, "expected `,` before this option"));
            self.without_comma = Some(self.at);
            if self.has_comma_for_equals(self.at + 1) {
                // The comma stands behind the name.
                self.lost = true;
                self.skip_to_next();
            }
            return Ok(());
        }
        let of_python = name.and_then(|_| self.of_python());
        self.lost |= name.is_none();
        self.skip_to_next();
        if let Some((span, message)) = of_python {
            return Err(Error::new(span, message));
        }
        let choice = name.and_then(|name| options::find(&name.to_string())).filter(|choice| choice.is_duration());
        let takes = choice.map(|choice| format!("; `{}` takes {}", choice.name, choice.takes())).unwrap_or_default();
        Err(Error::new(span, format!("expected `,`{takes}")))
    }

    /// `a and b`, `not a`, `a if b else c`: what stands behind a value there.
    fn of_python(&self) -> Option<(Span, &'static str)> {
        let before = self.at.checked_sub(1).and_then(|before| self.tokens.get(before));
        [self.tokens.get(self.at), before].into_iter().flatten().zip([BETWEEN, BEFORE]).find_map(|(token, known)| {
            let (_, written) = known.iter().find(|(word, _)| matches!(token, TokenTree::Ident(found) if found == word))?;
            Some((token.span(), *written))
        })
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

    /// Whether `, =` stands there, where `=` should.
    fn has_comma_for_equals(&self, at: usize) -> bool {
        self.is_punct(at, ',') && self.is_punct(at + 1, '=') && !self.is_punct(at + 2, '=')
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
        let with_rest = |input: ParseStream<'_>| Ok((parse(input)?, input.parse::<TokenStream>()?));
        let (read, rest) = parsed(tokens.iter().cloned().collect(), with_rest)?;
        let count = tokens.len().saturating_sub(rest.into_iter().count());
        let is_wrapped = |token: &TokenTree| matches!(token, TokenTree::Group(group) if group.delimiter() == Delimiter::None);
        if tokens.iter().any(is_wrapped) {
            // It may end inside of a group without delimiters, which is one token here.
            parsed(self.between(self.at, self.at + count), parse)?;
        }
        Ok((read, count))
    }
}

/// A layer is for one data type.
pub(super) const ONE_DATA_TYPE: &str =
    "a layer is for one data type: give the router a second one, `.layer(session!(<..>))`, with another `cookie_name`";

/// Keywords that no expression consists of.
const NO_EXPRESSION: &[&str] = &[
    "abstract", "as", "await", "box", "crate", "do", "dyn", "else", "enum", "extern", "final", "fn", "impl", "in", "let",
    "macro", "mod", "mut", "override", "priv", "pub", "ref", "static", "struct", "super", "trait", "type", "typeof", "unsized",
    "use", "virtual", "where",
];
/// Python's words between values, and how what is meant is written.
const BETWEEN: &[(&str, &str)] = &[
    ("and", "`a and b` is written `a && b`"),
    ("or", "`a or b` is written `a || b`"),
    ("if", "`a if b else c` is written `if b { a } else { c }`"),
];
/// Its words before a value.
const BEFORE: &[(&str, &str)] = &[("not", "`not a` is written `!a`"), ("lambda", "`lambda a: b` is written `|a| b`")];
/// Keywords that leave the function or the loop, so that there is never data but that.
const DIVERGE: &[&str] = &["break", "continue", "return"];
/// Keywords of expressions that the language does not have yet.
const UNSTABLE: &[&str] = &["become", "yield"];

/// Whether a name without a value is the second data type of `session!(Visit, Admin)`.
fn is_type_name(name: &Ident) -> bool {
    options::find(&name.to_string()).is_none() && name.to_string().starts_with(char::is_uppercase)
}

fn right_form(name: &Ident) -> String {
    let example = options::find(&name.to_string()).map_or_else(|| format!("{name} = .."), Choice::example);
    format!("an option is written `{example}`")
}

/// What the option takes, said where `error` is.
fn no_expression(name: &Ident, error: &Error) -> Error {
    let takes = options::find(&name.to_string()).map(|choice| format!(": it takes {}", choice.takes())).unwrap_or_default();
    Error::new(error.span(), format!("the value of `{name}` is no expression{takes}"))
}

/// Of an option without a comma before it and a value behind it.
fn alone(name: &Ident) -> String {
    let example = options::find(&name.to_string()).map_or_else(|| format!("{name} = .."), Choice::example);
    format!("an option stands behind a comma and has a value: write `, {example}`")
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

/// The type of `<T,>`, and the place of its comma.
fn separated_bracketed(input: ParseStream<'_>) -> Result<(Type, Span), Error> {
    input.parse::<Token![<]>()?;
    let data = input.parse()?;
    let at = input.span();
    separator(input)?;
    input.parse::<Token![>]>()?;
    Ok((data, at))
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

/// `&'static str`.
fn is_static_text(reference: &TypeReference) -> bool {
    let is_static = reference.lifetime.as_ref().is_some_and(|lifetime| lifetime.ident == "static");
    is_static && matches!(&*reference.elem, Type::Path(text) if text.path.is_ident("str"))
}

/// Why this type cannot be the data of sessions, as far as it can be seen.
fn wrong_data_type(data: &TokenStream) -> Option<Error> {
    let data_type = match syn::parse2::<Type>(data.clone()) {
        Ok(data_type) => data_type,
        Err(error) => return Some(error),
    };
    let message = match &data_type {
        // A text that lives as long as the program is a value of its own, with a default.
        Type::Reference(reference) if reference.mutability.is_none() && is_static_text(reference) => return None,
        Type::Reference(reference) => {
            let owned = match &*reference.elem {
                Type::Path(text) if text.path.is_ident("str") => "String".to_owned(),
                Type::Slice(slice) => format!("Vec<{}>", written(&slice.elem.to_token_stream())),
                owned => written(&owned.to_token_stream()),
            };
            format!("a session owns its data: name the type without `&`, `session!(<{owned}>)`")
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
