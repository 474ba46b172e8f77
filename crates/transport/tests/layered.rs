//! Layers around the service of an [`HttpServer`].

mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use common::{Empty, Probe, server};
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tower::layer::layer_fn;
use tower::util::MapRequestLayer;
use towline_core::{ClientAddr, Extensions, Principal, Router, Server, tool_fn};
use towline_transport::http::{HttpServer, HttpService};

async fn exchange(address: std::net::SocketAddr, body: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    let length = body.len();
    let head = format!(
        "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\nconnection: close\r\n\
         content-length: {length}\r\n\r\n"
    );
    stream.write_all((head + body).as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_layer_is_applied_once_and_sees_and_adds_to_what_is_known_of_a_request() {
    let whoami = tool_fn("whoami", "Says who calls.", async |_: Empty, context: towline_core::Context| {
        let address = context.extensions().get::<ClientAddr>().unwrap();
        format!("{:?} from {}", context.principal().unwrap(), address.0.ip())
    });
    let service = HttpService::new(Server::new(Router::new("test", "1").tool(whoami)));
    let applied = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&applied);
    let layered = HttpServer::from(service)
        .layer(layer_fn(move |inner| {
            count.fetch_add(1, Ordering::SeqCst);
            inner
        }))
        .layer(MapRequestLayer::new(|mut request: Request<_>| {
            let known = request.extensions_mut().get_mut::<Extensions>().unwrap();
            assert!(known.get::<ClientAddr>().is_some());
            known.insert(Principal::new("alice"));
            request
        }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let served = tokio::spawn(layered.serve_until(listener, async { drop(stopped.await) }));
    for _ in 0..2 {
        let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"whoami"}}"#;
        let answer = exchange(address, call).await;
        assert!(answer.contains(r#"Principal(\"alice\") from 127.0.0.1"#), "{answer}");
    }
    assert_eq!(applied.load(Ordering::SeqCst), 1);
    drop(stop);
    served.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_body_that_is_slow_to_come_is_given_up_on_behind_a_layer_too() {
    let service = HttpService::new(server(&Probe::default())).body_timeout(Duration::from_millis(300));
    let layered = HttpServer::from(service).layer(tower::layer::util::Identity::new());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(layered.serve_until(listener, std::future::pending()));
    let mut stream = TcpStream::connect(address).await.unwrap();
    let head = "POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{";
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    tokio::time::timeout(Duration::from_secs(5), stream.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(&answer, b"HTTP/1.1 408");
}
