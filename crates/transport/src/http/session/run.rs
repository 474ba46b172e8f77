//! A request of a session. It goes on when its client loses the connection, which may come back for the answer.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::mpsc::{self, Receiver};
use towline_core::codec;
use towline_core::protocol::RequestId;
use towline_core::{Error, Notifier, Reply, Report, Request, Serve};

use super::Session;
use super::log::EventLog;
use crate::call::Call;
use crate::http::respond;
use crate::http::service::Guard;
use crate::in_flight::Ticket;
use crate::legacy::Session as Kept;

/// How many notifications wait before the request does: the stream has a bound of its own.
const NOTIFICATIONS: usize = 8;

/// A request that runs.
pub(in crate::http) struct Running {
    pub(in crate::http) session: Arc<Session>,
    pub(in crate::http) log: Arc<EventLog>,
    pub(in crate::http) id: RequestId,
    pub(in crate::http) ticket: Ticket,
    pub(in crate::http) guard: Option<Guard>,
}

/// Runs a request to its end, and writes what it says on its stream.
pub(in crate::http) async fn run<S: Serve>(running: Running, server: S, mut request: Request) {
    let Running { session, log, id, ticket, guard } = running;
    let version = request.context().version();
    let _end = EndOnDrop(Arc::clone(&log));
    let (sender, asked) = mpsc::channel(NOTIFICATIONS);
    let (notifier, reports) = Notifier::channel(NOTIFICATIONS);
    if request.wants_notifications() || session.primes() {
        request.context_mut().set_notifier(notifier);
    }
    let concerned = Kept::concerns(request.method()).then(|| request.clone());
    let call = if request.context().can_be_asked() {
        Call::asking(server, request, Arc::clone(&session.kept.peer), sender)
    } else {
        Call::new(server, request)
    };
    let mut answer = report(call, reports, asked, &log).await;
    if let (Some(request), Ok(reply)) = (&concerned, &answer)
        && let Err(error) = session.kept.note(request, reply)
    {
        answer = Err(error);
    }
    if session.in_flight.finish(&id, ticket) {
        let status = respond::status(&answer, version);
        let body = codec::encode(Some(&id), &answer, version);
        let error = answer.err().filter(|error| !error.is_in_tool());
        log.finish(body, status, error);
    }
    drop(guard);
}

/// Ends the stream of a request that is cancelled.
struct EndOnDrop(Arc<EventLog>);

impl Drop for EndOnDrop {
    fn drop(&mut self) {
        self.0.end();
    }
}

/// Writes on the stream what a call reports and what it asks the client, all of it before its answer.
async fn report<S: Serve>(
    call: Call<S>,
    mut reports: Receiver<Report>,
    mut asked: Receiver<Bytes>,
    log: &EventLog,
) -> Result<Reply, Error> {
    let mut call = std::pin::pin!(call);
    let answer = loop {
        tokio::select! {
            biased;
            answer = &mut call => break answer,
            Some(report) = reports.recv() => write(report, log).await,
            Some(message) = asked.recv() => log.push(message).await,
        }
    };
    reports.close();
    while let Ok(report) = reports.try_recv() {
        write(report, log).await;
    }
    while let Ok(message) = asked.try_recv() {
        log.push(message).await;
    }
    answer
}

async fn write(report: Report, log: &EventLog) {
    match report {
        Report::Message(notification) => log.push(notification).await,
        Report::Release(retry) => log.release(retry),
    }
}
