use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use lexopt::prelude::*;
use towline_soak::Error;

/// What this process is.
pub(crate) enum Command {
    /// `idle` is how long connections are kept on which nothing is asked.
    Serve {
        address: SocketAddr,
        idle: Option<Duration>,
    },
    Load(Load),
    Steady(Steady),
}

/// How much load, and for how long.
pub(crate) struct Load {
    pub(crate) duration: Duration,
    pub(crate) connections: usize,
}

/// Which `database-server`, and for how long.
pub(crate) struct Steady {
    pub(crate) duration: Duration,
    pub(crate) server: PathBuf,
}

pub(crate) fn parse() -> Result<Command, Error> {
    let (mut minutes, mut connections, mut idle) = (None, 1000, None);
    let (mut address, mut server, mut is_steady) = (None, None, false);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Value(ref role) if role == "serve" => address = Some(parser.value()?.parse()?),
            Value(ref role) if role == "database" => is_steady = true,
            Long("idle") => idle = Some(Duration::from_secs(parser.value()?.parse()?)),
            Long("minutes") => minutes = Some(parser.value()?.parse()?),
            Long("connections") if !is_steady => connections = parser.value()?.parse()?,
            Long("server") => server = Some(parser.value()?.into()),
            _ => return Err(argument.unexpected().into()),
        }
    }
    if let Some(address) = address {
        return Ok(Command::Serve { address, idle });
    }
    let minutes = minutes.unwrap_or(if is_steady { 30.0 } else { 10.0 });
    // Fewer connections would leave out some kind of client.
    if connections < 20 || !(0.1..=10_000.0).contains(&minutes) {
        return Err("it takes 20 connections or more, and 0.1 minutes or more".into());
    }
    let duration = Duration::from_secs_f64(minutes * 60.0);
    if !is_steady {
        return Ok(Command::Load(Load { duration, connections }));
    }
    let server = server.ok_or("`--server` says where database-server is")?;
    Ok(Command::Steady(Steady { duration, server }))
}
