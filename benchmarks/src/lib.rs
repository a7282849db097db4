//! session-runtime beside the published peers: the same work, over the same router, in one run.

pub mod client;
pub mod contender;
pub mod instructions;
pub mod table;
pub mod work;
