use std::net::SocketAddr;
use std::time::Duration;

use lexopt::prelude::*;

use crate::Error;

/// What this process is.
pub(crate) enum Command {
    Serve(SocketAddr),
    Load(Load),
}

/// How much load, and for how long.
pub(crate) struct Load {
    pub(crate) duration: Duration,
    pub(crate) connections: usize,
}

pub(crate) fn parse() -> Result<Command, Error> {
    let (mut minutes, mut connections) = (10.0_f64, 1000);
    let mut parser = lexopt::Parser::from_env();
    while let Some(argument) = parser.next()? {
        match argument {
            Value(ref role) if role == "serve" => return Ok(Command::Serve(parser.value()?.parse()?)),
            Long("minutes") => minutes = parser.value()?.parse()?,
            Long("connections") => connections = parser.value()?.parse()?,
            _ => return Err(argument.unexpected().into()),
        }
    }
    // Fewer would leave out some kind of client.
    if connections < 20 || !(0.1..=10_000.0).contains(&minutes) {
        return Err("it takes 20 connections or more, and 0.1 minutes or more".into());
    }
    Ok(Command::Load(Load { duration: Duration::from_secs_f64(minutes * 60.0), connections }))
}
