//! Options that are checked when the program is compiled: what can be seen to be known only when it runs.

use proc_macro2::{Ident, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::visit_mut::{self, VisitMut};
use syn::{Error, Expr, ExprCall, ExprLit, ExprMethodCall, Lit, Pat, UnOp};

use super::options::{Choice, Constant};
use super::{duration, suggest};
use crate::written::written;

/// Where a value stands in the expansion.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// In an item of its own, as a constant whose checks are evaluated by `cargo check`.
    Item,
    /// Beside the user's own locals: it cannot be in an item of its own.
    Local,
    /// Where it is used: a literal or a word, which is seen to be right, and costs the compiler least so.
    Inline,
}

/// Checks that the value may be a constant, as far as it can be seen; the rest is the compiler's to say. `data` is the data type as it
/// is written.
pub(super) fn check(choice: &Choice, is: Constant, expr: &Expr, data: &str) -> Result<(), Error> {
    if let Some(message) = wrong_literal(choice, is, expr) {
        return Err(Error::new_spanned(expr, message));
    }
    if matches!(expr, Expr::Lit(_)) {
        return Ok(());
    }
    let mut search = RunTime::default();
    search.visit_expr_mut(&mut expr.clone());
    let Some(found) = search.found else { return Ok(()) };
    let (name, takes) = (choice.name, choice.takes());
    Err(Error::new_spanned(
        found,
        format!(
            "`{name}` takes {takes}, as a literal or a constant, since it is checked when the program is compiled; what is known only \
             when it runs is given to `SessionLayer::<{data}>::builder().{name}(..)`",
        ),
    ))
}

fn wrong_literal(choice: &Choice, is: Constant, expr: &Expr) -> Option<String> {
    let (name, takes) = (choice.name, choice.takes());
    match expr {
        Expr::Lit(literal) if takes_literal(is, &literal.lit) => None,
        // No literal of the language, as `'text'`, which the compiler says.
        Expr::Lit(ExprLit { lit: Lit::Verbatim(_), .. }) => None,
        Expr::Lit(literal) => {
            let meant = meant(is, &literal.lit).map(|meant| format!(": write `{name} = {meant}`")).unwrap_or_default();
            Some(format!("`{name}` takes {takes}{meant}"))
        }
        Expr::Unary(unary) if matches!(unary.op, UnOp::Neg(_)) && matches!(*unary.expr, Expr::Lit(_)) => Some(match is {
            Constant::Duration => format!("`{name}` is negative: give it a positive duration"),
            Constant::Count => format!("`{name}` is negative: it is at least 1"),
            _ => format!("`{name}` takes {takes}"),
        }),
        Expr::Call(call) if is_cfg(call) => {
            let asked = call.args.to_token_stream();
            Some(format!("`{name}` takes {takes}, and `cfg` is a macro: write `{name} = cfg!({})`", written(&asked)))
        }
        Expr::Call(call) if call.args.iter().any(|argument| matches!(argument, Expr::Assign(_))) => {
            let meant = by_name(is, call).map(|meant| format!(": write `{name} = {meant}`")).unwrap_or_default();
            Some(format!("`{name}` takes {takes}, and a function takes no arguments by name{meant}"))
        }
        Expr::Binary(_) if matches!(is, Constant::Word { .. }) => Some(format!("`{name}` takes {takes}, one of them")),
        Expr::MethodCall(call) if is_unit_of_literal(is, call) => {
            let meant = duration::in_words(in_words(&call.receiver, &call.method))?;
            Some(format!("`{name}` takes {takes}: write `{name} = {meant}`"))
        }
        _ => None,
    }
}

/// `cfg(debug_assertions)`.
fn is_cfg(call: &ExprCall) -> bool {
    let asks = |argument: &Expr| match argument {
        Expr::Path(option) => ["debug_assertions", "test", "unix", "windows"].iter().any(|known| option.path.is_ident(known)),
        Expr::Assign(_) => true,
        _ => false,
    };
    matches!(&*call.func, Expr::Path(function) if function.path.is_ident("cfg")) && call.args.iter().any(asks)
}

/// `24h` for `timedelta(hours = 24)`.
fn by_name(is: Constant, call: &ExprCall) -> Option<String> {
    if !matches!(is, Constant::Duration) {
        return None;
    }
    let arguments = call.args.iter().map(|argument| match argument {
        Expr::Assign(assign) => Some(in_words(&assign.right, &assign.left)),
        _ => None,
    });
    duration::in_words(arguments.collect::<Option<TokenStream>>()?)
}

/// `24.hours()`, of which there is none that a constant could call.
fn is_unit_of_literal(is: Constant, call: &ExprMethodCall) -> bool {
    matches!(is, Constant::Duration) && call.args.is_empty() && matches!(&*call.receiver, Expr::Lit(_))
}

fn in_words(number: &Expr, unit: &impl ToTokens) -> TokenStream {
    quote!(#number #unit)
}

/// What is meant by a literal of another kind: a number or a word in quotes, `1` for `true`.
fn meant(is: Constant, literal: &Lit) -> Option<String> {
    match (is, literal) {
        (Constant::Duration, Lit::Str(text)) => text.value().parse().ok().and_then(duration::in_words),
        (Constant::Text, Lit::ByteStr(text)) => String::from_utf8(text.value()).ok().map(|text| format!("{text:?}")),
        (Constant::Text, Lit::CStr(text)) => text.value().to_str().ok().map(|text| format!("{text:?}")),
        (Constant::Text, Lit::Char(letter)) => Some(format!("{:?}", letter.value().to_string())),
        (Constant::Count, Lit::Str(text)) => text.value().trim().parse::<u32>().ok().map(|number| number.to_string()),
        (Constant::Count, Lit::Int(number)) => (!duration::is_type(number.suffix())).then(|| number.base10_digits().to_owned()),
        (Constant::Flag, Lit::Str(text)) => match text.value().to_lowercase().as_str() {
            "true" | "yes" | "on" | "1" => Some("true".to_owned()),
            "false" | "no" | "off" | "0" => Some("false".to_owned()),
            _ => None,
        },
        (Constant::Flag, Lit::Int(number)) => match number.base10_digits() {
            "1" => Some("true".to_owned()),
            "0" => Some("false".to_owned()),
            _ => None,
        },
        (Constant::Word { words, .. }, Lit::Str(text)) => suggest::nearest(&text.value(), words).map(str::to_owned),
        _ => None,
    }
}

/// Where the value stands; `seconds` are its tokens with seconds in place of units.
pub(super) fn place(is: Constant, expr: &Expr, seconds: &TokenStream) -> Place {
    match expr {
        Expr::Lit(_) if matches!(is, Constant::Flag) || (matches!(is, Constant::Duration) && duration::is_positive(seconds)) => {
            Place::Inline
        }
        Expr::Lit(_) => Place::Item,
        _ if is_local(expr) => Place::Local,
        _ => Place::Item,
    }
}

/// Whether the value cannot be in an item of its own: it names `Self`, or something in lower case, which may be a constant or a local.
fn is_local(expr: &Expr) -> bool {
    let mut bound = Bound::default();
    bound.visit_expr_mut(&mut expr.clone());
    let mut search = Local { bound: bound.0, found: false };
    search.visit_expr_mut(&mut expr.clone());
    search.found
}

fn takes_literal(is: Constant, literal: &Lit) -> bool {
    match is {
        Constant::Duration => match literal {
            Lit::Int(_) => true,
            Lit::Float(number) => !duration::is_type(number.suffix()),
            _ => false,
        },
        Constant::Text => matches!(literal, Lit::Str(_)),
        Constant::Count => matches!(literal, Lit::Int(number) if duration::is_type(number.suffix())),
        Constant::Flag => matches!(literal, Lit::Bool(_)),
        Constant::Word { .. } => false,
    }
}

/// The names that the expression itself binds.
#[derive(Default)]
struct Bound(Vec<Ident>);

impl VisitMut for Bound {
    fn visit_pat_mut(&mut self, pattern: &mut Pat) {
        if let Pat::Ident(pattern) = pattern {
            self.0.push(pattern.ident.clone());
        }
        visit_mut::visit_pat_mut(self, pattern);
    }
}

/// Looks for what no constant can hold.
#[derive(Default)]
struct RunTime {
    found: Option<TokenStream>,
}

impl RunTime {
    fn find(&mut self, what: &impl ToTokens) {
        self.found.get_or_insert_with(|| what.to_token_stream());
    }
}

impl VisitMut for RunTime {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Call(call) if is_no_const_fn(&call.func) => self.find(&*call),
            Expr::MethodCall(call) if makes_string(call) => self.find(&*call),
            Expr::Macro(call) if call.mac.path.is_ident("format") => self.find(&*call),
            Expr::Path(path) if path.path.is_ident("self") => self.find(&*expr),
            Expr::Await(_) | Expr::Try(_) | Expr::Async(_) | Expr::Closure(_) => self.find(&*expr),
            _ => visit_mut::visit_expr_mut(self, expr),
        }
    }
}

/// A `String`, or the like, of a literal. Of other values these may be `const` functions of the user's own.
fn makes_string(call: &ExprMethodCall) -> bool {
    matches!(&*call.receiver, Expr::Lit(_))
        && matches!(call.method.to_string().as_str(), "to_string" | "to_owned" | "into" | "parse")
}

/// Functions that are commonly tried and cannot be called in a constant.
fn is_no_const_fn(function: &Expr) -> bool {
    let Expr::Path(function) = function else { return false };
    let mut segments = function.path.segments.iter().rev().map(|segment| segment.ident.to_string());
    let (last, before) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    let is_clock = last == "now" && matches!(before.as_str(), "Instant" | "SystemTime" | "Utc" | "Local" | "OffsetDateTime");
    let is_of_a_trait = match last.as_str() {
        "default" => matches!(before.as_str(), "Default" | "Duration" | "String") || duration::is_type(&before),
        "from" | "try_from" => matches!(before.as_str(), "From" | "TryFrom" | "String") || duration::is_type(&before),
        _ => false,
    };
    is_clock || (!before.is_empty() && is_of_a_trait) || (before == "env" && last == "var")
}

/// Looks for `Self`, and for names in lower case that the expression does not bind.
struct Local {
    bound: Vec<Ident>,
    found: bool,
}

impl VisitMut for Local {
    fn visit_path_mut(&mut self, path: &mut syn::Path) {
        self.found |= path.segments.first().is_some_and(|first| first.ident == "Self");
        visit_mut::visit_path_mut(self, path);
    }

    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Path(path) => {
                let name = path.path.get_ident().filter(|name| !self.bound.contains(name));
                self.found |=
                    name.is_some_and(|name| name.to_string().starts_with(|first: char| first == '_' || first.is_lowercase()));
                self.visit_path_mut(&mut path.path);
                if let Some(qself) = &mut path.qself {
                    self.visit_qself_mut(qself);
                }
            }
            // The name of a function is in lower case, too.
            Expr::Call(call) => {
                if let Expr::Path(function) = &mut *call.func {
                    self.visit_path_mut(&mut function.path);
                } else {
                    self.visit_expr_mut(&mut call.func);
                }
                call.args.iter_mut().for_each(|argument| self.visit_expr_mut(argument));
            }
            _ => visit_mut::visit_expr_mut(self, expr),
        }
    }

    fn visit_macro_mut(&mut self, call: &mut syn::Macro) {
        self.found |= has_self(&call.tokens);
    }
}

/// Whether the tokens name `Self`.
pub(super) fn has_self(tokens: &TokenStream) -> bool {
    tokens.clone().into_iter().any(|token| match token {
        TokenTree::Ident(ident) => ident == "Self",
        TokenTree::Group(group) => has_self(&group.stream()),
        _ => false,
    })
}
