//! The contenders: one server each, over HTTP and over standard input and output.

mod bare;
mod postgres;
mod rmcp;
mod tower_mcp;
mod towline;

use std::future::Future;
use std::net::SocketAddr;

use tokio::net::TcpListener;

pub use bare::answer as bare_answer;
pub use postgres::{SQL, serve_http as serve_postgres, server as postgres_server};
pub use towline::{answer as towline_answer, request, server as towline_server};

use crate::Error;

/// Who serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contender {
    /// Hyper or a loop over lines, and serde_json: what the others are measured by.
    ///
    /// Over standard input and output it runs requests at the same time, as every server must of which one tool is
    /// slow.
    Bare,
    /// A loop that answers one line before it reads the next.
    BareInTurn,
    /// The same over tokio's own standard input and output, which hand each read and write to another thread.
    BareTokio,
    /// Towline.
    Towline,
    /// The official SDK.
    Rmcp,
    /// The SDK that is made of tower services.
    TowerMcp,
}

impl Contender {
    /// Those that serve HTTP, the bare one first.
    pub const HTTP: [Self; 4] = [Self::Bare, Self::Towline, Self::Rmcp, Self::TowerMcp];
    /// Those that serve standard input and output, the bare one first.
    pub const STDIO: [Self; 6] =
        [Self::Bare, Self::BareInTurn, Self::BareTokio, Self::Towline, Self::Rmcp, Self::TowerMcp];

    /// Its name in tables and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bare => "bare",
            Self::BareInTurn => "bare, in turn",
            Self::BareTokio => "bare, in turn, tokio's stdin",
            Self::Towline => "towline",
            Self::Rmcp => "rmcp",
            Self::TowerMcp => "tower-mcp",
        }
    }

    /// The contender of that name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::STDIO.into_iter().find(|contender| contender.name() == name)
    }

    /// Serves HTTP on a free loopback port, which is printed, until the process ends.
    ///
    /// # Errors
    ///
    /// When there is no port, or the server gives up.
    pub fn serve_http(self) -> Result<(), Error> {
        block_on(async move {
            let listener = listen().await?;
            match self {
                Self::Bare | Self::BareInTurn | Self::BareTokio => bare::serve_http(listener).await,
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
                Self::Bare => bare::serve_pipes().await,
                Self::BareInTurn => bare::serve_pipes_in_turn().await,
                Self::BareTokio => bare::serve_stdio_in_turn().await,
                Self::Towline => towline::serve_stdio().await,
                Self::Rmcp => rmcp::serve_stdio().await,
                Self::TowerMcp => tower_mcp::serve_stdio().await,
            }
        })
    }
}

/// A listener on a free loopback port, which is printed.
async fn listen() -> Result<TcpListener, Error> {
    let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
    crate::report::line(&listener.local_addr()?.port().to_string())?;
    Ok(listener)
}

/// Runs a server on the one worker of a runtime that is otherwise `#[tokio::main]`'s.
///
/// With several workers the count of wake-ups, and with it the CPU time of a call, depends on how idle the machine
/// is. One worker is what all contenders can use fully beside a client that keeps the other core busy.
fn block_on<F>(serve: F) -> Result<(), Error>
where
    F: Future<Output = Result<(), Error>> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    runtime.block_on(async { tokio::spawn(serve).await? })
}
