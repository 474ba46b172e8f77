//! What is tested.

use std::ffi::OsStr;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use http::{HeaderName, HeaderValue};
use tokio::io::{AsyncRead, AsyncWrite};
use towline_core::Serve;
use towline_transport::stdio::Stdio;

/// How many bytes are under way in each direction between a server and a client in one process.
const PIPE: usize = 64 * 1024;

pub(crate) type Reader = Box<dyn AsyncRead + Send + Unpin>;
pub(crate) type Writer = Box<dyn AsyncWrite + Send + Unpin>;
type Connect = Arc<dyn Fn() -> (Reader, Writer) + Send + Sync>;

/// In the words of which revisions a client speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Era {
    /// The newest revision that the server knows, as applications do.
    #[default]
    Newest,
    /// A revision with a handshake: 2025-11-25 or before.
    Legacy,
}

/// A server to test.
#[derive(Clone)]
pub struct Target(pub(crate) Kind);

#[derive(Clone)]
pub(crate) enum Kind {
    Process { program: PathBuf, arguments: Vec<String> },
    Url { url: String, headers: Vec<(HeaderName, HeaderValue)> },
    Streams(Connect),
}

/// Why that is no target.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TargetError {
    /// The command has no program.
    #[error("the command is empty")]
    NoProgram,
    /// That is no header.
    #[error("{0:?} is no header: write `Name: value`")]
    Header(String),
    /// That is no URL of a server.
    #[error("{0:?} is no URL that starts with http:// or https://")]
    Url(String),
}

impl Target {
    /// A server in this process, with all its layers. Each connection is another client of the same server.
    pub fn in_process<S: Serve>(server: S) -> Self {
        Self::streams(move || {
            let (ours, theirs) = tokio::io::duplex(PIPE);
            let (reader, writer) = tokio::io::split(theirs);
            tokio::spawn(Stdio::new().serve_on(server.clone(), reader, writer));
            tokio::io::split(ours)
        })
    }

    /// A server at the other end of streams, such as those of [`fault`](crate::fault): made anew for each connection.
    pub fn streams<R, W>(connect: impl Fn() -> (R, W) + Send + Sync + 'static) -> Self
    where
        R: AsyncRead + Send + Unpin + 'static,
        W: AsyncWrite + Send + Unpin + 'static,
    {
        Self(Kind::Streams(Arc::new(move || {
            let (reader, writer) = connect();
            (Box::new(reader), Box::new(writer))
        })))
    }

    /// A program that speaks over its standard input and output, started for each connection.
    ///
    /// # Errors
    ///
    /// When the command is empty.
    pub fn process<I, A>(command: I) -> Result<Self, TargetError>
    where
        I: IntoIterator<Item = A>,
        A: AsRef<OsStr>,
    {
        let mut parts = command.into_iter();
        let program = parts.next().map(|program| PathBuf::from(program.as_ref()));
        let program =
            program.filter(|program| !program.as_os_str().is_empty()).ok_or(TargetError::NoProgram)?;
        let arguments = parts.map(|part| part.as_ref().to_string_lossy().into_owned()).collect();
        Ok(Self(Kind::Process { program, arguments }))
    }

    /// A server that speaks Streamable HTTP at this URL.
    ///
    /// # Errors
    ///
    /// When that is no URL.
    pub fn url(url: impl Into<String>) -> Result<Self, TargetError> {
        let url = url.into();
        let valid = reqwest::Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
        if !valid {
            return Err(TargetError::Url(url));
        }
        Ok(Self(Kind::Url { url, headers: Vec::new() }))
    }

    /// Sends a header, `Name: value`, with each request to a URL.
    ///
    /// # Errors
    ///
    /// When that is no header.
    pub fn header(mut self, header: &str) -> Result<Self, TargetError> {
        // The value may be a secret, so only the name is told.
        let (name, value) = header.split_once(':').ok_or_else(|| TargetError::Header("...".into()))?;
        let invalid = || TargetError::Header(format!("{name}: ..."));
        let pair =
            (name.trim().parse().map_err(|_| invalid())?, value.trim().parse().map_err(|_| invalid())?);
        if let Kind::Url { headers, .. } = &mut self.0 {
            headers.push(pair);
        }
        Ok(self)
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Process { program, .. } => f.debug_tuple("Process").field(program).finish(),
            Kind::Url { url, .. } => f.debug_tuple("Url").field(url).finish(),
            Kind::Streams(_) => f.write_str("Streams"),
        }
    }
}
