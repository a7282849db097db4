//! The servers of these tests come up where a port is taken, and say at once why they do not come up.

use std::net::{Ipv4Addr, TcpListener};
use std::thread;

use crate::app::PATIENCE;
use crate::servers;

#[test]
fn a_server_that_is_started_again_waits_until_its_port_is_free() {
    let mut server = servers::start_redis();
    server.stop();
    let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, server.port())).unwrap();
    let log = server.folder().join("log");
    std::fs::remove_file(&log).unwrap();
    thread::scope(|scope| {
        scope.spawn(|| {
            while !std::fs::read_to_string(&log).is_ok_and(|log| log.contains("Address already in use")) {
                thread::yield_now();
            }
            drop(taken);
        });
        server.start_again();
    });
    assert!(redis::Client::open(server.url()).unwrap().get_connection_with_timeout(PATIENCE).is_ok());
}

#[test]
#[should_panic(expected = "the server ends instead of coming up: \n*** FATAL CONFIG FILE ERROR")]
fn a_server_that_ends_early_is_noticed_with_its_log() {
    servers::start_redis_with(&["--no-such-option", "yes"]);
}
