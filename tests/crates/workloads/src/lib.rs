//! What is counted and timed: six kinds of request, a client in the same process that sends them, and the routers of this library.

pub mod allocations;
pub mod client;
pub mod instructions;
mod nothing;
mod ours;
pub mod subject;
pub mod work;

pub use client::Client;
pub use subject::Subject;
pub use work::{Account, Data, Work};
