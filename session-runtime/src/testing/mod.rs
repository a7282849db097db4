//! For tests: of handlers that use sessions ([`seed`], [`read`], [`Client`]), and of stores ([`conformance()`]).

mod client;
mod conformance;
mod seed;

pub use client::{Answer, Client};
pub use conformance::{Checked, Conformance, ConformanceData, Outcome, Report, conformance};
pub use seed::{NamesSession, SeededSession, read, seed};
