//! The body of an answer: the service's, or one of the layer's own.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

pin_project! {
    /// The body of an answer: that of the service within, or a text of [`AuthLayer`](crate::AuthLayer)'s own.
    #[derive(Debug)]
    pub struct AuthBody<B> {
        #[pin]
        form: Form<B>,
    }
}

pin_project! {
    #[project = Projected]
    #[derive(Debug)]
    enum Form<B> {
        Own { text: Bytes },
        Inner { #[pin] body: B },
    }
}

impl<B> AuthBody<B> {
    pub(super) fn own(text: impl Into<Bytes>) -> Self {
        Self { form: Form::Own { text: text.into() } }
    }

    pub(super) fn inner(body: B) -> Self {
        Self { form: Form::Inner { body } }
    }
}

impl<B: Body<Data = Bytes>> Body for AuthBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        match self.project().form.project() {
            Projected::Own { text } if text.is_empty() => Poll::Ready(None),
            Projected::Own { text } => Poll::Ready(Some(Ok(Frame::data(std::mem::take(text))))),
            Projected::Inner { body } => body.poll_frame(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.form {
            Form::Own { text } => text.is_empty(),
            Form::Inner { body } => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.form {
            Form::Own { text } => SizeHint::with_exact(text.len() as u64),
            Form::Inner { body } => body.size_hint(),
        }
    }
}
