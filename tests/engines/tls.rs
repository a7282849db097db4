//! Redis over TLS, with a certificate of an authority that only those trust who are told to.

use std::sync::Arc;
use std::time::Duration;

use session_runtime::SessionId;
use session_runtime::store::{AnyStore, Change, Created, RedisOptions, RedisStore, Replaced, Store};

use crate::app::{Counter, Process, connect, key, new_session, serve};
use crate::servers;
use crate::wire::Client;

const HOUR: Duration = Duration::from_secs(3600);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn redis_and_its_cluster_are_reached_over_tls_where_the_authority_is_trusted() {
    for scheme in ["rediss", "rediss+cluster"] {
        let (server, port) = tokio::task::block_in_place(|| servers::start_redis_tls(scheme.ends_with("cluster")));
        let authority = server.folder().join("ca.pem");
        for host in ["localhost", "127.0.0.1"] {
            let url = format!("{scheme}://{host}:{port}");
            let environment = [("SSL_CERT_FILE", authority.as_path())];
            let process = tokio::task::block_in_place(|| Process::start_with(&url, environment));
            let mut client = Client::to(&process.address).await;
            assert_eq!(client.post("/add").await.body, "1", "{url}");
            assert_eq!(client.post("/rotate").await.status, 200, "{url}");
            assert_eq!(client.post("/add").await.body, "2", "{url}");
            assert_eq!(client.post("/logout").await.status, 200, "{url}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_certificate_of_an_authority_that_is_not_trusted_is_refused() {
    let (_server, port) = tokio::task::block_in_place(|| servers::start_redis_tls(false));
    for scheme in ["rediss", "rediss+cluster"] {
        let url = format!("{scheme}://user:secret@127.0.0.1:{port}");
        let said = session_runtime::store::connect::<Counter>(&url).await.unwrap_err().to_string();
        assert!(said.contains("invalid peer certificate") && !said.contains("secret"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_private_authority_and_a_client_certificate_are_named_by_the_url_or_by_options_or_by_a_client() {
    for scheme in ["rediss", "rediss+cluster"] {
        let in_cluster = scheme.ends_with("cluster");
        let (server, port) = tokio::task::block_in_place(|| servers::start_redis_mutual_tls(in_cluster));
        let file = |name: &str| server.folder().join(name);
        // Spaces and letters of other languages are percent-encoded.
        std::fs::copy(file("ca.pem"), file("c a é.pem")).unwrap();
        let folder = server.folder().display();
        let plain = format!("{scheme}://localhost:{port}");
        let ca = format!("tls_ca={folder}/c%20a%20%C3%A9.pem");
        let said = connect_error(&format!("{plain}?{ca}")).await;
        assert!(said.contains("ertificate"), "without a certificate of its own: {said}");
        let said = connect_error(&format!("{plain}?{ca}&tls_cert={folder}/none.pem&tls_key={folder}/client.key")).await;
        assert!(said.contains("none.pem"), "a file that is not there is named: {said}");
        let said = connect_error(&format!("{plain}?{ca}&tls_cert={folder}/client.pem")).await;
        assert!(said.contains("tls_key"), "{said}");
        let url = format!("{plain}?{ca}&tls_cert={folder}/client.pem&tls_key={folder}/client.key");
        let mut stores = vec![connect(&url).await];
        let pem = |name: &str| std::fs::read(file(name)).unwrap();
        let options = RedisOptions::new().tls_authorities(pem("ca.pem")).tls_client(pem("client.pem"), pem("client.key"));
        if in_cluster {
            let nodes = [format!("rediss://localhost:{port}")];
            stores.push(AnyStore::new(RedisStore::connect_cluster_with(nodes, options).await.unwrap()));
        } else {
            stores.push(AnyStore::new(RedisStore::connect_with(&plain, options).await.unwrap()));
            let client_tls = redis::ClientTlsConfig { client_cert: pem("client.pem"), client_key: pem("client.key") };
            let certificates = redis::TlsCertificates { client_tls: Some(client_tls), root_cert: Some(pem("ca.pem")) };
            let client = redis::Client::build_with_tls(plain.as_str(), certificates).unwrap();
            stores.push(AnyStore::new(RedisStore::from_client(client, RedisOptions::new()).await.unwrap()));
        }
        for store in stores {
            let mut client = Client::to(&serve(store).await).await;
            for (path, body) in [("/add", "1"), ("/add", "2"), ("/rotate", ""), ("/add", "3"), ("/logout", "")] {
                let answer = client.post(path).await;
                assert_eq!((answer.status, answer.body.as_str()), (200, body), "{scheme} {path}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_of_a_client_with_certificates_of_its_own_that_the_server_closed_costs_no_call() {
    let (server, port) = tokio::task::block_in_place(|| servers::start_redis_mutual_tls(false));
    let pem = |name: &str| std::fs::read(server.folder().join(name)).unwrap();
    let client_tls = redis::ClientTlsConfig { client_cert: pem("client.pem"), client_key: pem("client.key") };
    let certificates = redis::TlsCertificates { client_tls: Some(client_tls), root_cert: Some(pem("ca.pem")) };
    let client = redis::Client::build_with_tls(format!("rediss://localhost:{port}"), certificates).unwrap();
    let mut operator = client.get_multiplexed_async_connection().await.unwrap();
    let store = RedisStore::from_client(client, RedisOptions::new()).await.unwrap();
    let id = SessionId::parse(&"client".repeat(10)).unwrap();
    let created = store.create(key(&id), new_session(Counter::default(), HOUR, None)).await.unwrap();
    let Created::Created(mut version) = created else { panic!("{created:?}") };
    for count in 1..=5 {
        let kill = redis::cmd("CLIENT").arg(&["KILL", "TYPE", "normal", "SKIPME", "yes"]).clone();
        kill.query_async::<i64>(&mut operator).await.unwrap();
        // The client hears of it. If that takes 2 s, it is asked first whether its connection is there.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let change = Change::new(Arc::new(Counter { count, name: None }));
        match store.replace(key(&id), version, change).await {
            Ok(Replaced::Replaced(next)) => version = next,
            other => panic!("{count}: nothing of it was sent: {other:?}"),
        }
    }
}

async fn connect_error(url: &str) -> String {
    session_runtime::store::connect::<Counter>(url).await.map(drop).unwrap_err().to_string()
}
