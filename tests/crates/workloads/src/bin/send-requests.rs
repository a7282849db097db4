//! Sends the requests of one router, named by the argument, and does nothing else: to be run by callgrind.

use std::env;

use workloads::{Subject, instructions};

fn main() {
    let name = env::args().nth(1).expect("usage: send-requests ROUTER");
    let subject: Subject = name.parse().expect("a router");
    instructions::send(|| subject.router());
}
