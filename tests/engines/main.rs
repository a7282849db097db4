//! The promises, kept by every engine, on real servers that the tests start for themselves.
//!
//! `cargo test --test engines --features all-stores,tls`; what is not installed yet, `tools/install-servers.sh` installs.

mod account;
mod app;
mod begun;
mod calls;
#[path = "../support/cargo.rs"]
mod cargo;
mod clocks;
mod closing;
mod cluster;
mod conformance;
mod connecting;
mod counted;
mod detour;
mod engine;
mod examples;
mod failover;
mod fastapi;
mod faults;
mod full_disk;
mod gates;
mod kinds;
mod latency;
#[path = "../support/log.rs"]
mod log;
mod moved_file;
mod owners;
mod pooler;
mod probed;
mod processes;
mod proxy;
mod redis_as_run;
mod redis_owners;
mod redis_under_load;
mod remembered;
mod rivals;
#[path = "../support/servers.rs"]
mod servers;
mod slow_disk;
mod sql_under_load;
mod starting;
mod sweeping;
#[cfg(feature = "tls")]
mod tls;
mod together;
mod undecodable;
mod under_load;
mod wire;
