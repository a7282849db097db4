//! session-runtime beside the published peers: the same work, over the same router, in one run.

pub mod contender;
