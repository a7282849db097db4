//! The promises, kept by every engine, on real servers that the tests start for themselves.
//!
//! `cargo test --test engines --features all-stores,tls`; what is not installed yet, `tools/install-servers.sh` installs.

mod app;
mod calls;
mod clocks;
mod closing;
mod cluster;
mod conformance;
mod connecting;
mod counted;
mod engine;
mod examples;
mod fastapi;
mod faults;
mod full_disk;
mod kinds;
mod latency;
mod processes;
mod proxy;
#[path = "../support/servers.rs"]
mod servers;
mod slow_disk;
mod starting;
mod sweeping;
#[cfg(feature = "tls")]
mod tls;
mod together;
mod undecodable;
mod wire;
