//! What goes wrong.

use std::collections::BTreeMap;
use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A way to fail. In JSON, `fault` holds its name in snake case.
///
/// [`Status`](Self::Status), [`Redirect`](Self::Redirect), [`Endless`](Self::Endless), [`GzipBomb`](Self::GzipBomb)
/// and [`Hang`](Self::Hang) come before the work, so that a message is not sent. All others come after it: the work
/// is done, and its answer suffers.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "fault", rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Fault {
    /// The answer begins late.
    Slow {
        /// How late; `delay_ms` in JSON.
        #[serde(rename = "delay_ms", with = "millis")]
        delay: Duration,
    },
    /// The answer begins at once, and its body trickles in.
    SlowBody {
        /// The pause before each piece; `delay_ms` in JSON.
        #[serde(rename = "delay_ms", with = "millis")]
        delay: Duration,
        /// Into how many pieces the body is cut. Default: 10.
        #[serde(default = "ten")]
        pieces: usize,
    },
    /// Another answer than the right one.
    Status {
        /// The status.
        status: u16,
        /// A `Retry-After` header. Default: none.
        #[serde(default)]
        retry_after: Option<RetryAfter>,
        /// Further headers. Default: none.
        #[serde(default)]
        headers: BTreeMap<String, String>,
        /// The body. Default: a message as JSON.
        #[serde(default)]
        body: Option<String>,
    },
    /// The right answer with other headers.
    Headers {
        /// Headers to set; those of the same name go.
        headers: BTreeMap<String, String>,
    },
    /// A body of another type than was asked for.
    ContentType {
        /// What the answer says of its type. Default: `text/html; charset=utf-8`.
        #[serde(default = "html")]
        content_type: String,
        /// Another body. Default: the right one.
        #[serde(default)]
        body: Option<String>,
    },
    /// The connection ends too early.
    Cut {
        /// Where. Default: before the answer.
        #[serde(default)]
        at: CutAt,
    },
    /// A body that never ends.
    Endless {
        /// The pause before each piece; `delay_ms` in JSON. Default: none.
        #[serde(rename = "delay_ms", with = "millis", default)]
        delay: Duration,
        /// The size of a piece in bytes. Default: 65 536.
        #[serde(default = "chunk")]
        piece: usize,
    },
    /// A redirect.
    Redirect {
        /// Where it leads. Default: to the same origin.
        #[serde(default)]
        to: RedirectTo,
        /// The status. Default: 302.
        #[serde(default = "found")]
        status: u16,
    },
    /// A small body, compressed with gzip, of which a large one becomes: JSON, with much space at its end.
    GzipBomb {
        /// Its size when decompressed, at most 16 GiB. Default: 200 000 000.
        #[serde(default = "bomb")]
        bytes: u64,
    },
    /// No HTTP.
    ///
    /// Over HTTP/2, where no bytes can be written past the framing, the stream is reset instead.
    Malformed {
        /// What is wrong. Default: the status line.
        #[serde(default)]
        part: Part,
    },
    /// These bytes instead of an answer, and then the end of the connection; HTTP/2 as with `Malformed`.
    Raw {
        /// What to write.
        text: String,
    },
    /// The right answer with far too many headers.
    HugeHeaders {
        /// Their size, at most 16 MiB. Default: 1 048 576.
        #[serde(default = "mebibyte")]
        bytes: usize,
    },
    /// No answer, but the connection stays.
    Hang,
}

/// When to come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RetryAfter {
    /// In so many seconds, written as a number: `{"seconds": 2}` in JSON.
    Seconds(u32),
    /// In so many seconds, written as an HTTP date: `{"date_in": 2}` in JSON.
    ///
    /// A date has no fractions, so that it is up to a second early.
    DateIn(u32),
}

/// Where an answer ends.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CutAt {
    /// Before its first byte.
    #[default]
    Start,
    /// In the midst of the headers.
    Headers,
    /// In the midst of a body whose length was told.
    Body,
    /// In the midst of a body in chunks.
    Chunks,
}

/// Where a redirect leads.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum RedirectTo {
    /// To the same request below `/moved` at the same origin, which answers as the path without it does. A rule for
    /// `/moved` makes the next hop.
    #[default]
    SameOrigin,
    /// To the same path at [`Upstream::other_url`](crate::Upstream::other_url), which answers properly.
    OtherOrigin,
    /// To where it came from.
    Loop,
    /// Anywhere; written as it is.
    Location(String),
}

/// What of an answer is malformed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Part {
    /// A status that is no number.
    #[default]
    StatusLine,
    /// A header without a colon.
    Header,
    /// A chunk whose size is no number.
    Chunk,
    /// Two different lengths.
    Length,
    /// Everything: another protocol altogether.
    Protocol,
}

impl Fault {
    /// The answer begins late.
    #[must_use]
    pub const fn slow(delay: Duration) -> Self {
        Self::Slow { delay }
    }

    /// Another status than the right one.
    #[must_use]
    pub const fn status(status: u16) -> Self {
        Self::Status { status, retry_after: None, headers: BTreeMap::new(), body: None }
    }

    /// Another status, and when to come back.
    #[must_use]
    pub const fn busy(status: u16, retry_after: RetryAfter) -> Self {
        Self::Status { status, retry_after: Some(retry_after), headers: BTreeMap::new(), body: None }
    }

    /// The connection ends too early.
    #[must_use]
    pub const fn cut(at: CutAt) -> Self {
        Self::Cut { at }
    }

    /// A body that never ends, as fast as it is read.
    #[must_use]
    pub const fn endless() -> Self {
        Self::Endless { delay: Duration::ZERO, piece: 65_536 }
    }

    /// A redirect with status 302.
    #[must_use]
    pub const fn redirect(to: RedirectTo) -> Self {
        Self::Redirect { to, status: 302 }
    }

    /// A body of which `bytes` become when it is decompressed.
    #[must_use]
    pub const fn gzip_bomb(bytes: u64) -> Self {
        Self::GzipBomb { bytes }
    }

    /// No HTTP.
    #[must_use]
    pub const fn malformed(part: Part) -> Self {
        Self::Malformed { part }
    }

    /// The right answer with one header set.
    #[must_use]
    pub fn header(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self::Headers { headers: BTreeMap::from([(name.into(), value.into())]) }
    }

    /// Whether it comes before the work instead of after it.
    pub(crate) const fn comes_first(&self) -> bool {
        matches!(
            self,
            Self::Status { .. }
                | Self::Redirect { .. }
                | Self::Endless { .. }
                | Self::GzipBomb { .. }
                | Self::Hang
        )
    }

    pub(crate) fn check(&self) -> Result<(), String> {
        const HOUR: Duration = Duration::from_secs(3600);
        match self {
            Self::Slow { delay } if *delay > HOUR => Err("`delay_ms` is more than an hour".into()),
            Self::SlowBody { delay, pieces } if *delay > HOUR || !(1..=10_000).contains(pieces) => {
                Err("`delay_ms` must be at most an hour, `pieces` from 1 to 10000".into())
            }
            Self::Endless { delay, piece } if *delay > HOUR || !(1..=1_048_576).contains(piece) => {
                Err("`delay_ms` must be at most an hour, `piece` from 1 to 1048576".into())
            }
            Self::Status { status, headers, .. } => {
                check_status(*status, 200).and_then(|()| check_headers(headers))
            }
            Self::Redirect { status, to } => {
                check_status(*status, 300)?;
                match to {
                    RedirectTo::Location(location) => check_value(location),
                    _ => Ok(()),
                }
            }
            Self::Headers { headers } => check_headers(headers),
            Self::ContentType { content_type, .. } => check_value(content_type),
            Self::GzipBomb { bytes } if *bytes > 16 << 30 => Err("`bytes` is more than 16 GiB".into()),
            Self::HugeHeaders { bytes } if *bytes > 16 << 20 => Err("`bytes` is more than 16 MiB".into()),
            _ => Ok(()),
        }
    }
}

fn check_status(status: u16, least: u16) -> Result<(), String> {
    if status < least || StatusCode::from_u16(status).is_err() {
        return Err(format!("`status` must be from {least} to 999"));
    }
    Ok(())
}

fn check_headers(headers: &BTreeMap<String, String>) -> Result<(), String> {
    headers.iter().try_for_each(|(name, value)| {
        HeaderName::try_from(name).map_err(|_| format!("`{name}` is no name of a header"))?;
        check_value(value)
    })
}

fn check_value(value: &str) -> Result<(), String> {
    HeaderValue::from_str(value).map(drop).map_err(|_| "a value that no header can have".into())
}

mod millis {
    use super::{Deserialize, Deserializer, Duration, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        u64::try_from(value.as_millis()).unwrap_or(u64::MAX).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}

const fn ten() -> usize {
    10
}

const fn chunk() -> usize {
    65_536
}

const fn mebibyte() -> usize {
    1 << 20
}

const fn bomb() -> u64 {
    200_000_000
}

const fn found() -> u16 {
    302
}

fn html() -> String {
    "text/html; charset=utf-8".into()
}
