//! `session!`: tokens are parsed into pieces ([`parse`]), which become options with checked values ([`model`]), which become the
//! calls of the builder ([`generate`]).
//!
//! 1. What can be seen in the tokens is answered here; what needs types or values is left to the compiler, on the user's own
//!    tokens ([`tokens`]).
//! 2. Every mistake makes one error, and all that is right is still generated, so that nothing else breaks.
//! 3. The pieces as they were typed come first in the expansion, where an editor completes them ([`complete`]).

mod complete;
mod constant;
mod duration;
mod elsewhere;
mod generate;
mod model;
mod options;
mod parse;
mod suggest;
mod tokens;

#[cfg(test)]
mod tests;

use proc_macro2::TokenStream;

pub(crate) use options::options;

/// The expansion of `session!`, whatever the tokens.
pub(crate) fn session(input: TokenStream) -> TokenStream {
    let pieces = parse::Pieces::of(input);
    let completion = complete::completion(&pieces);
    let setup = model::Setup::of(pieces);
    generate::generate(&setup, &completion)
}
