//! The layer that gives a router its sessions.

mod builder;
mod future;
mod service;
mod session_layer;

pub use builder::{DefaultData, DefaultOf, Given, IntoDuration, SessionLayerBuilder};
pub use future::ResponseFuture;
pub use service::SessionService;
pub use session_layer::SessionLayer;
