//! What goes back to the client, or the lack of it.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use hyper::body::{Body, Bytes, Frame};
use hyper::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, HeaderName, HeaderValue, SERVER};
use hyper::{Response, StatusCode};
use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimePrinter;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-ci-request-id");
/// Exactly this: the official Python SDK hands out raw bytes if a charset follows.
const XML: &str = "application/xml";

/// How a request ends.
#[derive(Debug)]
pub(super) enum Answer {
    Reply(Reply),
    /// The connection is reset, and nothing is sent.
    HangUp,
}

impl Answer {
    /// The response; `None` for none.
    pub(super) fn into_response(self, request_id: &str, now: Timestamp) -> Option<Response<Sent>> {
        match self {
            Self::Reply(reply) => Some(reply.into_response(request_id, now)),
            Self::HangUp => None,
        }
    }
}

/// An answer in HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Reply {
    status: StatusCode,
    content_type: &'static str,
    extra: Vec<(HeaderName, String)>,
    body: String,
    cut: bool,
}

impl Reply {
    pub(super) fn xml(status: StatusCode, body: String) -> Self {
        Self { status, content_type: XML, extra: Vec::new(), body, cut: false }
    }

    pub(super) fn of_type(self, content_type: &'static str) -> Self {
        Self { content_type, ..self }
    }

    pub(super) fn with(mut self, name: HeaderName, value: impl Into<String>) -> Self {
        self.extra.push((name, value.into()));
        self
    }

    /// The same with half of its body, under the length of the whole.
    pub(super) fn cut(self) -> Self {
        Self { cut: true, ..self }
    }

    pub(super) fn status(&self) -> StatusCode {
        self.status
    }

    /// The response, with the headers that CI's answers have. A value that cannot be a header is left out.
    fn into_response(self, request_id: &str, now: Timestamp) -> Response<Sent> {
        let length = self.body.len();
        let mut body = Bytes::from(self.body);
        if self.cut {
            body.truncate(length / 2);
        }
        let mut response = Response::new(Sent { bytes: Some(body), cut: self.cut, flushed: false });
        *response.status_mut() = self.status;
        let date = DateTimePrinter::new().timestamp_to_rfc9110_string(&now).unwrap_or_default();
        let usual = [
            (CONTENT_TYPE, self.content_type.to_owned()),
            (CONTENT_LENGTH, length.to_string()),
            (SERVER, "tencent-ci".to_owned()),
            (DATE, date),
            (REQUEST_ID, request_id.to_owned()),
        ];
        for (name, value) in usual.into_iter().chain(self.extra) {
            if let Ok(value) = HeaderValue::try_from(value) {
                response.headers_mut().insert(name, value);
            }
        }
        response
    }
}

/// A body that is sent at once, and that may stop short of the length in the head.
#[derive(Debug)]
pub(super) struct Sent {
    bytes: Option<Bytes>,
    cut: bool,
    flushed: bool,
}

impl Body for Sent {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        if let Some(bytes) = self.bytes.take() {
            return Poll::Ready(Some(Ok(Frame::data(bytes))));
        }
        // hyper drops what it has not flushed when it finds the body too short: let it flush first.
        if self.cut && !self.flushed {
            self.flushed = true;
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Poll::Ready(None)
    }
}
