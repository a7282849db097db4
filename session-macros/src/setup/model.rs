//! The pieces as options: known, each given once, with a value that the option takes.

use proc_macro2::{Delimiter, Ident, Span, TokenStream, TokenTree};
use quote::{ToTokens as _, quote};
use syn::{Block, Error, Expr, Stmt};

use super::constant::Place;
use super::elsewhere::unknown;
use super::options::{self, Choice, Constant, Kind};
use super::parse::{ONE_DATA_TYPE, Piece, Pieces};
use super::tokens::{Krate, ends, own};
use super::{constant, duration, suggest};
use crate::written::written;

/// What is to be generated.
pub(super) struct Setup {
    pub(super) krate: Krate,
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
    pub(super) place: Place,
    /// Where the value was typed.
    pub(super) at: (Span, Span),
}

const WITHOUT_LIMIT: &str = "`when_full` says what becomes of a login beyond `owner_limit`, which is not given\n= help: give both: `owner_limit = 5, when_full = Refuse`";

impl Setup {
    pub(super) fn of(pieces: Pieces) -> Self {
        let Pieces { krate, data, data_is_type, options, errors, lost } = pieces;
        let mut setup = Self { krate, data: None, options: Vec::new(), twice: Vec::new(), errors, lost };
        let written = if data_is_type { written(&data) } else { "T".to_owned() };
        for piece in options {
            setup.add(piece, &written);
        }
        setup.check_pairs();
        setup.data = data_is_type.then_some(data);
        setup
    }

    fn add(&mut self, piece: Piece, data: &str) {
        let Some(choice) = options::find(&piece.name.to_string()) else {
            self.lost = true;
            let second_type = piece.expr.err().filter(|error| error.to_string() == ONE_DATA_TYPE);
            self.errors.push(second_type.unwrap_or_else(|| Error::new(piece.name.span(), unknown(&piece.name))));
            return;
        };
        if let Some(first) = self.options.iter().find(|given| given.choice.name == choice.name) {
            self.twice.push((first.name.clone(), piece.name));
            return;
        }
        let at = ends(&piece.value);
        match self.value(choice, &piece, data) {
            Ok((value, place)) => self.options.push(Given { choice, name: piece.name, value, place, at }),
            Err(error) => {
                self.lost |= matches!(choice.kind, Kind::Data);
                self.errors.push(error);
            }
        }
    }

    /// What an option says of another is said of nothing where that is not there. What could not be read may have been it.
    fn check_pairs(&mut self) {
        let given = |name: &str| self.options.iter().find(|given| given.choice.name == name);
        if let Some(lonely) = given("when_full")
            && given("owner_limit").is_none()
            && self.errors.is_empty()
        {
            self.errors.push(Error::new(lonely.name.span(), WITHOUT_LIMIT));
        }
    }

    fn value(&self, choice: &Choice, piece: &Piece, data: &str) -> Result<(TokenStream, Place), Error> {
        let (value, expr) = match &piece.expr {
            Ok(expr) => ungrouped(piece.value.clone(), expr),
            Err(error) => return Err(error.clone()),
        };
        if let Some(error) = optional(choice, expr, &value).or_else(|| called(choice, expr)) {
            return Err(error);
        }
        let Kind::Constant { is, .. } = choice.kind else {
            return Ok((value, Place::Item));
        };
        if let (Constant::Word { of, words }, Some(word)) = (is, sole_ident(&value))
            && let Some(variant) = self.word(choice, of, words, &word)?
        {
            return Ok((variant, Place::Inline));
        }
        constant::check(choice, is, expr, data)?;
        let value = match is {
            Constant::Duration => duration::seconds(value)?,
            Constant::Word { of, words } if matches!(expr, Expr::If(_) | Expr::Match(_) | Expr::Block(_) | Expr::Paren(_)) => {
                let mut expr = expr.clone();
                self.words_at_the_ends(&mut expr, of, words);
                expr.into_token_stream()
            }
            Constant::Text | Constant::Flag | Constant::Count | Constant::Word { .. } => value,
        };
        let place = constant::place(is, expr, &value);
        Ok((value, place))
    }

    /// A bare word, in any letter case, as the variant it means; none for what may be the name of a constant.
    fn word(
        &self,
        choice: &Choice,
        of: &'static str,
        words: &'static [&'static str],
        word: &Ident,
    ) -> Result<Option<TokenStream>, Error> {
        let text = word.to_string();
        if let Some(known) = words.iter().find(|known| known.eq_ignore_ascii_case(&text)) {
            return Ok(Some(self.variant(of, known, word.span())));
        }
        if text.chars().any(char::is_uppercase) && text == text.to_uppercase() {
            return Ok(None);
        }
        if let Some(meant) = suggest::nearest(&text, words) {
            return Err(Error::new(word.span(), format!("`{}` takes {}: did you mean `{meant}`?", choice.name, choice.takes())));
        }
        if text.starts_with(|first: char| first.is_lowercase() || first == '_') && text != "true" && text != "false" {
            return Ok(None);
        }
        Err(Error::new(word.span(), format!("`{}` takes {}", choice.name, choice.takes())))
    }

    fn variant(&self, of: &str, word: &str, span: Span) -> TokenStream {
        let krate = self.krate.at(span);
        let (of, variant) = (Ident::new(of, own(span)), Ident::new(word, own(span)));
        quote!(#krate::#of::#variant)
    }

    /// Writes the variants for the bare words at the ends of branches: `if cfg!(debug_assertions) { Lax } else { Strict }`.
    fn words_at_the_ends(&self, expr: &mut Expr, of: &str, words: &[&str]) {
        let end_of = |block: &mut Block| {
            if let Some(Stmt::Expr(end, None)) = block.stmts.last_mut() {
                self.words_at_the_ends(end, of, words);
            }
        };
        match expr {
            Expr::If(branches) => {
                end_of(&mut branches.then_branch);
                if let Some((_, otherwise)) = &mut branches.else_branch {
                    self.words_at_the_ends(otherwise, of, words);
                }
            }
            Expr::Block(block) => end_of(&mut block.block),
            Expr::Match(arms) => arms.arms.iter_mut().for_each(|arm| self.words_at_the_ends(&mut arm.body, of, words)),
            Expr::Paren(inner) => self.words_at_the_ends(&mut inner.expr, of, words),
            Expr::Path(path) => {
                if let Some(word) = path.path.get_ident()
                    && words.iter().any(|known| word == known)
                {
                    *expr = Expr::Verbatim(self.variant(of, &word.to_string(), word.span()));
                }
            }
            _ => {}
        }
    }
}

/// What a macro's `$value:expr` stands for, without the group around it that has no delimiters.
fn ungrouped(value: TokenStream, expr: &Expr) -> (TokenStream, &Expr) {
    let mut tokens = value.clone().into_iter();
    match (expr, tokens.next(), tokens.next()) {
        (Expr::Group(inner), Some(TokenTree::Group(group)), None) if group.delimiter() == Delimiter::None => {
            ungrouped(group.stream(), &inner.expr)
        }
        _ => (value, expr),
    }
}

/// `None` or `Some(..)` for an option, as in languages and libraries where options are so.
fn optional(choice: &Choice, expr: &Expr, value: &TokenStream) -> Option<Error> {
    let name = choice.name;
    let is = |path: &syn::Path, word: &str| {
        let mut segments = path.segments.iter().rev();
        segments.next().is_some_and(|last| last.ident == word) && segments.next().is_none_or(|before| before.ident == "Option")
    };
    let is_word = matches!(choice.kind, Kind::Constant { is: Constant::Word { words, .. }, .. } if words.contains(&"None"));
    match expr {
        // Data may be an `Option`.
        _ if matches!(choice.kind, Kind::Data) => None,
        Expr::Path(path) if is(&path.path, "None") && !(is_word && path.path.is_ident("None")) => {
            Some(Error::new_spanned(value, format!("leave `{name}` out where there is none")))
        }
        Expr::Call(call) => match (&*call.func, call.args.first()) {
            (Expr::Path(path), Some(inner)) if is(&path.path, "Some") => {
                let inner = written(&inner.to_token_stream());
                Some(Error::new_spanned(value, format!("`{name}` takes the value itself: write `{name} = {inner}`")))
            }
            _ => None,
        },
        _ => None,
    }
}

/// A standard function that is called where it is to be passed. Another may give the function that is to be passed.
fn called(choice: &Choice, expr: &Expr) -> Option<Error> {
    let (Kind::Callback, Expr::Call(call)) = (&choice.kind, expr) else { return None };
    let Expr::Path(function) = &*call.func else { return None };
    let mut segments = function.path.segments.iter().rev().map(|segment| &segment.ident);
    let is_standard = segments.next().is_some_and(|name| STANDARD.iter().any(|standard| name == standard))
        && segments.next().is_some_and(|module| module == "standard");
    (call.args.is_empty() && is_standard).then(|| {
        let function = written(&function.to_token_stream());
        Error::new_spanned(call, format!("`{name}` takes the function itself: write `{name} = {function}`", name = choice.name))
    })
}

const STANDARD: &[&str] = &["fetch_session_id", "generate_session_id", "session_middleware", "lazy_session_middleware"];

fn sole_ident(tokens: &TokenStream) -> Option<Ident> {
    let mut tokens = tokens.clone().into_iter();
    match (tokens.next(), tokens.next()) {
        (Some(TokenTree::Ident(ident)), None) => Some(ident),
        _ => None,
    }
}
