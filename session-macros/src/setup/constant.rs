//! Options that are checked when the program is compiled: what can be seen to be known only when it runs.

use proc_macro2::{Ident, TokenStream};
use quote::ToTokens;
use syn::visit_mut::{self, VisitMut};
use syn::{Error, Expr, Lit, Pat, UnOp};

use super::options::{Choice, Constant};

/// Checks that `value` may be a constant, as far as it can be seen; the rest is the compiler's to say. `data` is the data type
/// as it is written.
pub(super) fn check(choice: &Choice, is: Constant, value: &TokenStream, data: &str) -> Result<(), Error> {
    let mut expr: Expr = syn::parse2(value.clone())?;
    if let Expr::Lit(literal) = &expr
        && !takes(is, &literal.lit)
    {
        return Err(Error::new_spanned(value, format!("`{}` takes {}", choice.name, choice.takes())));
    }
    if let (Constant::Duration, Expr::Unary(unary)) = (is, &expr)
        && matches!(unary.op, UnOp::Neg(_))
    {
        return Err(Error::new_spanned(value, format!("`{}` is negative: give it a positive duration", choice.name)));
    }
    let mut bound = Bound::default();
    bound.visit_expr_mut(&mut expr);
    let mut search = RunTime { bound: bound.0, found: None };
    search.visit_expr_mut(&mut expr);
    match search.found {
        None => Ok(()),
        Some(found) => Err(Error::new_spanned(
            found,
            format!(
                "`{name}` takes {takes}, as a literal or a constant, since it is checked when the program is compiled; what is known \
                 only when it runs is given to `SessionLayer::<{data}>::builder().{name}(..)`",
                name = choice.name,
                takes = choice.takes(),
            ),
        )),
    }
}

fn takes(is: Constant, literal: &Lit) -> bool {
    match is {
        Constant::Duration => matches!(literal, Lit::Int(_) | Lit::Float(_)),
        Constant::Text => matches!(literal, Lit::Str(_)),
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
struct RunTime {
    bound: Vec<Ident>,
    found: Option<TokenStream>,
}

impl RunTime {
    fn find(&mut self, what: &impl ToTokens) {
        self.found.get_or_insert_with(|| what.to_token_stream());
    }

    /// A name in lower case that the expression does not bind: constants are upper case.
    fn is_variable(&self, name: &Ident) -> bool {
        let text = name.to_string();
        text.starts_with(|first: char| first == '_' || first.is_lowercase())
            && text.to_uppercase() != text
            && !self.bound.contains(name)
    }
}

impl VisitMut for RunTime {
    fn visit_expr_mut(&mut self, expr: &mut Expr) {
        match expr {
            Expr::Path(path) => {
                if let Some(name) = path.path.get_ident()
                    && self.is_variable(name)
                {
                    self.find(&name.clone());
                }
            }
            // The name of a function is lower case too.
            Expr::Call(call) if matches!(*call.func, Expr::Path(_)) => {
                if let Expr::Path(function) = &*call.func
                    && is_no_const_fn(function)
                {
                    self.find(&call.clone());
                }
                call.args.iter_mut().for_each(|argument| self.visit_expr_mut(argument));
            }
            Expr::MethodCall(call) if ALLOCATE.contains(&call.method.to_string().as_str()) => self.find(&call.clone()),
            Expr::Macro(call) if call.mac.path.is_ident("format") => self.find(&call.clone()),
            Expr::Await(_) | Expr::Try(_) | Expr::Async(_) | Expr::Closure(_) => self.find(&expr.clone()),
            _ => visit_mut::visit_expr_mut(self, expr),
        }
    }
}

/// Methods that make a `String` or the like.
const ALLOCATE: &[&str] = &["to_string", "to_owned", "into", "clone", "unwrap_or_default", "parse"];

/// Functions that are commonly tried and cannot be called in a constant.
fn is_no_const_fn(function: &syn::ExprPath) -> bool {
    let mut segments = function.path.segments.iter().rev().map(|segment| segment.ident.to_string());
    let (last, before) = (segments.next().unwrap_or_default(), segments.next().unwrap_or_default());
    matches!((before.as_str(), last.as_str()), ("String", "from") | ("env", "var"))
}
