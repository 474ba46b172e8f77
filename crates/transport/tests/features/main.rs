//! Resources, prompts, suggestions and requests for input, as clients of each revision see them on the wire.

mod changes;
mod input;
mod prompts;
mod resources;
mod tasks;

use serde_json::{Value, json};
use towline_core::protocol::ProtocolVersion;
use towline_core::{Router, Server};
use towline_transport::memory::{self, Client};
use towline_transport::stdio::Stdio;

fn connect(router: Router) -> Client {
    memory::connect(Server::new(router))
}

async fn connect_legacy(router: Router, version: ProtocolVersion) -> Client {
    memory::connect_legacy(Server::new(router), version).await.unwrap()
}

/// What a client of an older revision is told in the handshake.
async fn capabilities(router: Router, version: ProtocolVersion) -> Value {
    let mut client = Client::new(Server::new(router), Stdio::new(), version);
    let info = json!({"name": "test", "version": "1"});
    let params = json!({"protocolVersion": version.as_str(), "capabilities": {}, "clientInfo": info});
    result(&mut client, "initialize", params).await["capabilities"].take()
}

/// A result without what all results of the latest revision have.
async fn result(client: &mut Client, method: &str, params: Value) -> Value {
    let mut result = client.call(method, params).await.unwrap().result.expect(method);
    let members = result.as_object_mut().unwrap();
    if members.remove("resultType").is_some() {
        assert_eq!(members.remove("_meta").unwrap()["io.modelcontextprotocol/serverInfo"]["name"], "test");
    }
    result
}

async fn error(client: &mut Client, method: &str, params: Value) -> Value {
    client.call(method, params).await.unwrap().result.expect_err(method)
}

/// All entries of a list, page by page.
async fn all(client: &mut Client, method: &str, member: &str) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    let mut params = json!({});
    loop {
        let mut page = result(client, method, params).await;
        pages.push(serde_json::from_value(page[member].take()).unwrap());
        match page.get("nextCursor") {
            Some(cursor) => params = json!({"cursor": cursor}),
            None => return pages,
        }
    }
}
