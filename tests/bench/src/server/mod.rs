//! The contenders: one server each, over HTTP and over standard input and output.

mod bare;
mod rmcp;
mod tower_mcp;
mod towline;

use std::future::Future;
use std::net::SocketAddr;

use tokio::net::TcpListener;

pub use bare::answer as bare_answer;
pub use towline::{answer as towline_answer, server as towline_server};

use crate::Error;

/// Who serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// Hyper or a loop over lines, and serde_json: what the others are measured by.
    Bare,
    /// Towline.
    Towline,
    /// The official SDK.
    Rmcp,
    /// The SDK that is made of tower services.
    TowerMcp,
}

impl Contender {
    /// All of them, the bare one first.
    pub const ALL: [Self; 4] = [Self::Bare, Self::Towline, Self::Rmcp, Self::TowerMcp];

    /// Its name in tables and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::Towline => "towline",
            Self::Rmcp => "rmcp",
            Self::TowerMcp => "tower-mcp",
        }
    }

    /// The contender of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|contender| contender.name() == name)
    }

    /// Serves HTTP on a free loopback port, which is printed, until the process ends.
    ///
    /// # Errors
    ///
    /// When there is no port, or the server gives up.
    pub fn serve_http(self) -> Result<(), Error> {
        block_on(async move {
            let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
            crate::report::line(&listener.local_addr()?.port().to_string())?;
            match self {
                Self::Bare => bare::serve_http(listener).await,
                Self::Towline => towline::serve_http(listener).await,
                Self::Rmcp => rmcp::serve_http(listener).await,
                Self::TowerMcp => tower_mcp::serve_http(listener).await,
            }
        })
    }

    /// Serves standard input and output until the input ends.
    ///
    /// # Errors
    ///
    /// When the server gives up.
    pub fn serve_stdio(self) -> Result<(), Error> {
        block_on(async move {
            match self {
                Self::Bare => bare::serve_stdio().await,
                Self::Towline => towline::serve_stdio().await,
                Self::Rmcp => rmcp::serve_stdio().await,
                Self::TowerMcp => tower_mcp::serve_stdio().await,
            }
        })
    }
}

/// Runs a server on the one worker of a runtime that is otherwise `#[tokio::main]`'s.
///
/// With several workers the count of wake-ups, and with it the CPU time of a call, depends on how idle the machine
/// is. One worker is what all contenders can use fully beside a client that keeps the other core busy.
pub fn block_on<F>(serve: F) -> Result<(), Error>
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async { tokio::spawn(serve).await? })
}
