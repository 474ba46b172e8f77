//! The tools that every contender serves, and the messages that call them.

use std::fmt::Write as _;
use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The revision in which every contender is asked.
pub const VERSION: &str = "2026-07-28";

/// The name and version that every contender gives as its own.
pub const NAME: &str = "bench";
/// See [`NAME`].
pub const SERVER_VERSION: &str = "1.0.0";

/// How many tools a list has: `echo`, `rows` and as many others as are missing.
pub const TOOLS: usize = 50;

/// What `echo` says of itself.
pub const ECHO: &str = "Says the text again.";
/// What `rows` says of itself.
pub const ROWS: &str = "Gives the customers of the shop.";
/// What the tools that nobody calls say of themselves.
pub const SEARCH: &str = "Searches the orders of the shop for those that match.";

/// The arguments of `echo`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Echo {
    /// What to say.
    pub text: String,
}

/// The arguments of `rows`.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct NoArguments {}

/// The arguments of the tools that are only listed.
#[derive(Debug, Deserialize, JsonSchema)]
pub struct Search {
    /// Words that the order's lines contain.
    pub query: String,
    /// The customer who placed it.
    pub customer: Option<u64>,
    /// Orders returned at most.
    pub limit: Option<u32>,
}

/// The result of `rows`: 2 KB of JSON.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Rows {
    /// The customers.
    pub rows: Vec<Row>,
}

/// A customer.
#[derive(Debug, Serialize, JsonSchema)]
pub struct Row {
    /// Its key.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// Where to write to.
    pub email: String,
    /// The sum of its orders.
    pub total: f64,
}

/// The rows that `rows` gives: made once, serialised for each call.
pub fn rows() -> &'static Rows {
    static ROWS: LazyLock<Rows> = LazyLock::new(|| Rows {
        rows: (0..24)
            .map(|id| Row {
                id,
                name: format!("Customer Number {id:04}"),
                email: format!("customer{id:04}@example.com"),
                total: f64::from(id) * 12.25,
            })
            .collect(),
    });
    &ROWS
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Workload {
    /// A call of `echo` with a line of text.
    Echo,
    /// A call of `rows`.
    Rows,
    /// The list of all tools.
    List,
}

impl Workload {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Echo, Self::Rows, Self::List];

    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Echo => "echo",
            Self::Rows => "2 KB result",
            Self::List => "list of 50 tools",
        }
    }

    fn method(self) -> &'static str {
        match self {
            Self::Echo | Self::Rows => "tools/call",
            Self::List => "tools/list",
        }
    }

    fn tool(self) -> Option<&'static str> {
        match self {
            Self::Echo => Some("echo"),
            Self::Rows => Some("rows"),
            Self::List => None,
        }
    }

    fn arguments(self) -> &'static str {
        match self {
            Self::Echo => r#"{"text":"The quick brown fox jumps over the lazy dog, and the dog sleeps on."}"#,
            Self::Rows => "{}",
            Self::List => "",
        }
    }

    /// The request.
    pub fn message(self) -> Message {
        let call = match self.tool() {
            Some(tool) => format!(r#""name":"{tool}","arguments":{},"#, self.arguments()),
            None => String::new(),
        };
        Message::new(self.method(), self.tool(), &call)
    }
}

/// A request whose id can be changed in place.
#[derive(Clone, Debug)]
pub struct Message {
    body: String,
    id_at: usize,
    head: String,
}

/// Ids have seven digits, so that all messages have one length.
const FIRST_ID: u32 = 1_000_000;

impl Message {
    /// A request of that method. `params` are members that each end in a comma; `_meta` is added to them.
    pub fn new(method: &str, subject: Option<&str>, params: &str) -> Self {
        let start = r#"{"jsonrpc":"2.0","id":"#;
        let meta = format!(
            r#""_meta":{{"io.modelcontextprotocol/protocolVersion":"{VERSION}","io.modelcontextprotocol/clientInfo":{{"name":"load","version":"1.0.0"}},"io.modelcontextprotocol/clientCapabilities":{{}}}}"#
        );
        let body = format!(r#"{start}{FIRST_ID},"method":"{method}","params":{{{params}{meta}}}}}"#);
        let mut head = format!(
            "POST /mcp HTTP/1.1\r\nhost: 127.0.0.1\r\ncontent-type: application/json\r\n\
             accept: application/json, text/event-stream\r\nuser-agent: load/1.0\r\n\
             mcp-protocol-version: {VERSION}\r\nmcp-method: {method}\r\n"
        );
        if let Some(subject) = subject {
            // Writing to a String cannot fail.
            let _ = write!(head, "mcp-name: {subject}\r\n");
        }
        let _ = write!(head, "content-length: {}\r\n\r\n", body.len());
        Self { body, id_at: start.len(), head }
    }

    /// The JSON text, of a request that is the first of its kind.
    pub fn body(&self) -> &str {
        &self.body
    }

    /// The bytes of an HTTP request.
    pub fn http(&self) -> Numbered {
        Numbered {
            bytes: [&*self.head, &self.body].concat().into_bytes(),
            id_at: self.head.len() + self.id_at,
        }
    }

    /// A line for standard input.
    pub fn line(&self) -> Numbered {
        Numbered { bytes: [&*self.body, "\n"].concat().into_bytes(), id_at: self.id_at }
    }
}

/// Bytes of a request with a place for its id.
#[derive(Clone, Debug)]
pub struct Numbered {
    bytes: Vec<u8>,
    id_at: usize,
}

impl Numbered {
    /// The bytes with another id. Ids repeat after a million.
    pub fn with_id(&mut self, number: u32) -> &[u8] {
        let mut rest = number % FIRST_ID;
        for at in (1..7).rev() {
            self.bytes[self.id_at + at] = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        &self.bytes
    }
}
