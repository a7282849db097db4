//! Every operation is one round trip, as a proxy before the server counts them.

use crate::app::{connect, serve};
use crate::engine::{self, Engine};
use crate::proxy::Proxy;
use crate::servers;
use crate::wire::{self, Client};

/// The engines that are reached over a network, and the ports of their servers.
fn networked() -> [(Engine, u16); 4] {
    [
        (engine::redis(), servers::redis().port()),
        (engine::redis_shared_with_fastapi(), servers::redis().port()),
        (engine::postgres(), servers::postgres().port()),
        (engine::mariadb(), servers::mariadb().port()),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_request_costs_one_round_trip_for_each_store_call() {
    for (engine, port) in networked() {
        let proxy = Proxy::to(port).await;
        let address = serve(connect(&proxy.url(&engine.url, port)).await).await;
        let mut client = Client::to(&address).await;
        // The first time a script is sent, or a statement prepared.
        for path in ["/add", "/add", "/name/ada", "/rotate", "/logout"] {
            assert_eq!(client.post(path).await.status, 200, "{engine:?} {path}");
        }
        client.cookie = None;
        proxy.trips();

        let mut count = async |method: &str, path: &str| {
            let answer = client.send(method, path).await.unwrap();
            assert_eq!(answer.status, 200, "{engine:?} {path}: {}", answer.body);
            proxy.trips()
        };
        assert_eq!(count("GET", "/").await, 0, "{engine:?}: no session, no call");
        assert_eq!(count("POST", "/add").await, 1, "{engine:?}: a new session");
        assert_eq!(count("GET", "/").await, 1, "{engine:?}: a read");
        assert_eq!(count("POST", "/add").await, 2, "{engine:?}: a read and a change");
        assert_eq!(count("POST", "/name/ada").await, 2, "{engine:?}: a read and a set");
        assert_eq!(count("POST", "/rotate").await, 2, "{engine:?}: a read and a rotation");
        assert_eq!(count("POST", "/logout").await, 2, "{engine:?}: a read and a deletion");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_needs_one_command_a_call_after_its_scripts_are_flushed_too() {
    let server = servers::start_redis();
    let mut client = Client::to(&serve(connect(server.url()).await).await).await;
    client.post("/add").await;
    let mut redis = wire::redis(&server).await;
    redis::cmd("SCRIPT").arg("FLUSH").exec_async(&mut redis).await.unwrap();
    assert_eq!(client.post("/add").await.body, "2");
    redis::cmd("CONFIG").arg("RESETSTAT").exec_async(&mut redis).await.unwrap();
    for _ in 0..10 {
        client.post("/add").await;
    }
    let stats: String = redis::cmd("INFO").arg("commandstats").query_async(&mut redis).await.unwrap();
    assert!(stats.contains("cmdstat_mget:calls=10,"), "ten reads: {stats}");
    assert!(stats.contains("cmdstat_evalsha:calls=10,"), "ten changes: {stats}");
    assert!(!stats.contains("cmdstat_eval:"), "{stats}");
}
