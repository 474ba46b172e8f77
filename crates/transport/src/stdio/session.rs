//! One stream from its first line to its last.

use std::future::Future;
use std::io;
use std::pin::pin;
use std::sync::Arc;

use bytes::Bytes;
use tokio::io::AsyncRead;
use tokio::sync::mpsc::{Receiver, Sender};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot, watch};
use tokio::time::{Instant, timeout_at};
use towline_core::codec::{self, DecodeError, Limits, Message};
use towline_core::protocol::{ProtocolVersion, RequestId};
use towline_core::{
    Carrier, Context, Error, ErrorKind, Extensions, Notifier, Reply, Report, Request, Serve, SessionSupport,
};

use super::Stdio;
use super::lines::{Line, Lines};
use super::write::Output;
use crate::call::Call;
use crate::in_flight::{InFlight, Ticket, cancelled};
use crate::legacy::{Handshake, Session as Kept};

/// How many notifications of one request wait before the request does.
const NOTIFICATIONS: usize = 8;

pub(super) async fn run<S, R>(
    options: Stdio,
    server: S,
    reader: R,
    output: Output,
    slots: Slots,
    shutdown: impl Future<Output = ()> + Send,
) -> io::Result<()>
where
    S: Serve,
    R: AsyncRead + Send + Unpin,
{
    let Output { sender, mut written } = output;
    let shared = Arc::new(Shared {
        in_flight: InFlight::default(),
        kept: Kept::default(),
        closing: watch::Sender::new(false),
        slots: slots.clone(),
        output: sender,
    });
    let mut session = Session {
        server,
        handshake: Handshake::default(),
        limits: options.limits,
        shared: CancelOnDrop(shared),
        carrier: options.carrier,
        extensions: options.extensions,
    };
    let mut lines = Lines::new(reader, options.max_line.get());

    let read = tokio::select! {
        read = session.read(&mut lines) => read,
        () = pin!(shutdown) => Ok(()),
        ended = &mut written => return judge(ended),
    };

    // What goes on until the server closes has its end now.
    session.shared.0.closing.send_replace(true);
    session.shared.0.kept.end();
    let deadline = Instant::now() + options.shutdown_grace;
    // Each request holds a place until it is answered, so having all of them means that all are done.
    let drained = tokio::select! {
        drained = timeout_at(deadline, slots.places.acquire_many(slots.max_places)) => drained.is_ok(),
        ended = &mut written => return judge(ended),
    };
    if !drained {
        tracing::warn!("requests were cut off at the end of the grace period");
    }
    drop(session);
    match timeout_at(deadline, written).await {
        Ok(ended) => read.and(judge(ended)),
        Err(_) => read,
    }
}

/// Room for the requests of one stream. A clone is a handle to the same.
#[derive(Clone, Debug)]
pub(super) struct Slots {
    /// Held by requests that run.
    running: Arc<Semaphore>,
    /// Held by requests that run or wait for their turn.
    places: Arc<Semaphore>,
    max_places: u32,
}

impl Slots {
    pub(super) fn new(max: usize) -> Self {
        // Semaphores count in 32 bits and a little less; nobody means to run as many requests at once.
        let max = u32::try_from(max).unwrap_or(u32::MAX).min(1 << 24);
        // As many again may wait for their turn. Reading never stops, so a cancellation is always heard.
        let max_places = max * 2;
        Self {
            running: Arc::new(Semaphore::new(max as usize)),
            places: Arc::new(Semaphore::new(max_places as usize)),
            max_places,
        }
    }

    /// Whether any request runs.
    pub(super) fn is_busy(&self) -> bool {
        self.places.available_permits() < self.max_places as usize
    }
}

struct Session<S> {
    server: S,
    handshake: Handshake,
    limits: Limits,
    shared: CancelOnDrop,
    carrier: Carrier,
    extensions: Extensions,
}

/// What requests need of the stream that they came on.
struct Shared {
    in_flight: InFlight,
    /// What is kept of a client of an older revision.
    kept: Kept,
    closing: watch::Sender<bool>,
    slots: Slots,
    output: Sender<Bytes>,
}

impl<S: Serve> Session<S> {
    async fn read<R: AsyncRead + Unpin>(&mut self, lines: &mut Lines<R>) -> io::Result<()> {
        while let Some(line) = lines.next().await? {
            match line {
                Line::Text(text) if text.trim_ascii().is_empty() => {}
                Line::Text(text) => self.message(text).await,
                Line::TooLong(cut) => {
                    let error = Error::new(ErrorKind::TooLarge, "the message is too long");
                    let id = codec::id_of_cut(&cut.beginning, &cut.end);
                    self.refuse(id, error, ProtocolVersion::LATEST, AnswerTo::Stream).await;
                }
            }
        }
        Ok(())
    }

    async fn message(&mut self, text: Bytes) {
        let has_batches = self.handshake.version() == Some(ProtocolVersion::V2025_03_26);
        if !(has_batches && codec::is_batch(&text)) {
            return self.one(text, AnswerTo::Stream).await;
        }
        let messages = match codec::split_batch(&text, &self.limits) {
            Ok(messages) => messages,
            Err(DecodeError { id, error }) => {
                return self.refuse(id, error, ProtocolVersion::LATEST, AnswerTo::Stream).await;
            }
        };
        let mut answers = Vec::with_capacity(messages.len());
        for message in messages {
            let (sender, answer) = oneshot::channel();
            answers.push(answer);
            self.one(message, AnswerTo::Batch(sender)).await;
        }
        tokio::spawn(batch(answers, self.shared.0.output.clone()));
    }

    async fn one(&mut self, text: Bytes, to: AnswerTo) {
        match codec::decode(text, &self.limits) {
            Ok(Message::Request(id, request)) => self.request(id, request, to).await,
            Ok(Message::Notification(notification)) => self.notification(&notification),
            Ok(Message::Response(response)) => self.shared.0.kept.peer.answer(response),
            Err(DecodeError { id, error }) => self.refuse(id, error, ProtocolVersion::LATEST, to).await,
        }
    }

    async fn request(&mut self, id: RequestId, mut request: Request, to: AnswerTo) {
        if request.method() == "initialize" && matches!(to, AnswerTo::Batch(_)) {
            let error = Error::new(ErrorKind::InvalidRequest, "`initialize` is not part of a batch");
            return self.refuse(Some(id), error, ProtocolVersion::LATEST, to).await;
        }
        if let Err(error) = self.handshake.negotiate(&mut request) {
            return self.refuse(Some(id), error, ProtocolVersion::LATEST, to).await;
        }
        let shared = &self.shared.0;
        let context = request.context_mut();
        context.set_carrier(self.carrier);
        context.extensions_mut().extend(self.extensions.clone());
        if !context.version().is_modern() {
            context.set_session(SessionSupport::Kept, shared.kept.log_level());
        }
        let version = context.version();
        let Ok(place) = Arc::clone(&shared.slots.places).try_acquire_owned() else {
            let error = Error::new(
                ErrorKind::Overloaded,
                "too many requests at once; wait for answers to earlier ones",
            );
            return self.refuse(Some(id), error, version, to).await;
        };
        let mut to = Some(to);
        let spawn = |ticket| {
            let to = to.take().expect("it is spawned once");
            let running = Running { id: id.clone(), ticket, shared: Arc::clone(shared), place, to };
            tokio::spawn(running.run(self.server.clone(), request)).abort_handle()
        };
        if !shared.in_flight.start(&id, spawn) {
            let error = Error::new(ErrorKind::InvalidRequest, "a request with this `id` is still running");
            self.refuse(Some(id), error, version, to.unwrap_or(AnswerTo::Stream)).await;
        }
    }

    fn notification(&self, notification: &Request) {
        match notification.method() {
            "notifications/cancelled" => {
                if let Some(id) = cancelled(notification) {
                    self.shared.0.in_flight.cancel(&id);
                }
            }
            "notifications/initialized" => {
                let mut context = Context::default();
                context.extensions_mut().extend(self.extensions.clone());
                self.shared.0.kept.begin_to_tell(&context, self.shared.0.output.clone());
            }
            _ => {}
        }
    }

    async fn refuse(&self, id: Option<RequestId>, error: Error, version: ProtocolVersion, to: AnswerTo) {
        to.send(codec::encode(id.as_ref(), &Err(error), version), &self.shared.0.output).await;
    }
}

/// Where an answer goes.
enum AnswerTo {
    /// On a line of its own.
    Stream,
    /// Into the answer to a batch. Dropping it says that there is none.
    Batch(oneshot::Sender<Bytes>),
}

impl AnswerTo {
    async fn send(self, answer: Bytes, output: &Sender<Bytes>) {
        // When there is no writer any more, the session ends by that.
        match self {
            Self::Stream => drop(output.send(answer).await),
            Self::Batch(batch) => drop(batch.send(answer)),
        }
    }
}

/// Answers a batch when all that is in it is done.
async fn batch(answers: Vec<oneshot::Receiver<Bytes>>, output: Sender<Bytes>) {
    let mut done = Vec::with_capacity(answers.len());
    for answer in answers {
        done.extend(answer.await.ok());
    }
    if !done.is_empty() {
        let _ = output.send(codec::join_batch(&done)).await;
    }
}

/// A request that runs or waits to run. Its place is free again once its answer has found room with the writer.
struct Running {
    id: RequestId,
    ticket: Ticket,
    shared: Arc<Shared>,
    place: OwnedSemaphorePermit,
    to: AnswerTo,
}

impl Running {
    /// What a task does for the request. It is made here as far as it can be, since what goes through an await takes room
    /// in every task.
    fn run<S: Serve>(self, server: S, mut request: Request) -> impl Future<Output = ()> + Send {
        let Self { id, ticket, shared, place, to } = self;
        let version = request.context().version();
        let is_stream = request.is_stream();
        let notifications = request.wants_notifications().then(|| {
            let (notifier, notifications) = Notifier::channel(NOTIFICATIONS);
            request.context_mut().set_notifier(notifier.until(shared.closing.subscribe()));
            notifications
        });
        let is_kept = !version.is_modern() && Kept::concerns(request.method());
        let concerned = is_kept.then(|| Box::new(request.clone()));
        let call = if !version.is_modern() && request.context().can_be_asked() {
            Call::asking(server, request, Arc::clone(&shared.kept.peer), shared.output.clone())
        } else {
            Call::new(server, request)
        };
        async move {
            // What goes on for as long as the client likes takes nobody's turn.
            let slot = match is_stream {
                true => None,
                false => Some(shared.slots.running.acquire().await.expect("the semaphore is never closed")),
            };
            let mut answer = match notifications {
                Some(notifications) => Box::pin(report(call, notifications, &shared.output)).await,
                None => call.await,
            };
            if let (Some(request), Ok(reply)) = (&concerned, &answer)
                && let Err(error) = shared.kept.note(request, reply)
            {
                answer = Err(error);
            }
            if shared.in_flight.finish(&id, ticket) {
                to.send(codec::encode(Some(&id), &answer, version), &shared.output).await;
            }
            drop(slot);
            drop(place);
        }
    }
}

/// Passes on what a request reports, all of it before its answer.
async fn report<S: Serve>(
    call: Call<S>,
    mut notifications: Receiver<Report>,
    output: &Sender<Bytes>,
) -> Result<Reply, Error> {
    let mut call = pin!(call);
    let answer = loop {
        tokio::select! {
            biased;
            answer = &mut call => break answer,
            Some(report) = notifications.recv() => pass_on(report, output).await,
        }
    };
    // A task that the call has left behind may report on: the answer waits for what is there, and no more.
    notifications.close();
    while let Ok(report) = notifications.try_recv() {
        pass_on(report, output).await;
    }
    answer
}

async fn pass_on(report: Report, output: &Sender<Bytes>) {
    // A stream stays where it is, so nobody is let go.
    if let Report::Message(notification) = report {
        let _ = output.send(notification).await;
    }
}

/// How the writer ended: a client that is gone is the end of the session, not a failure.
fn judge(written: io::Result<()>) -> io::Result<()> {
    match written {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        other => other,
    }
}

/// Drops what runs when the stream ends.
struct CancelOnDrop(Arc<Shared>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.in_flight.cancel_all();
    }
}
