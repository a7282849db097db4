//! Redis over TLS, with a certificate of an authority that only those trust who are told to.

use crate::app::{Counter, Process};
use crate::servers;
use crate::wire::Client;

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
