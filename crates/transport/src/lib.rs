//! The transports of Towline: standard input and output, Streamable HTTP, and in memory.
//!
//! Each of them serves any [`Server`](towline_core::Server), with whatever layers it has, to clients of the current
//! revision of the protocol and of the older ones.
//!
//! ```no_run
//! use towline_core::{Router, Server, tool_fn};
//!
//! # async fn run() -> std::io::Result<()> {
//! let ping = tool_fn("ping", "Answers.", async || "pong");
//! let server = Server::new(Router::new("example", "1.0.0").tool(ping));
//! towline_transport::http::serve(server, "127.0.0.1:8080").await
//! # }
//! ```

mod attend;
mod call;
pub mod http;
mod in_flight;
mod legacy;
mod line;
pub mod memory;
mod shutdown;
pub mod stdio;
mod sync;

pub use shutdown::shutdown_signal;
