//! The macros work where the runtime has another name, through a facade, and without a prelude.
#![no_implicit_prelude]
#![forbid(unsafe_code)]
#![deny(warnings, missing_docs, unreachable_pub, unused_qualifications, rust_2018_idioms, clippy::all, clippy::pedantic)]

pub mod facade;
pub mod renamed;
pub mod setup;
