//! What the strict head refuses before a request is a request.

/// A head that HTTP forbids, or that this gateway does not take.
///
/// Found by `server` in the raw bytes and answered by the line like any other refusal. Sources: RFC 9112, and
/// what bare hyper lets pass (`docs/architecture.md`, "The strict head").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Refusal {
    /// The request line is not `METHOD SP target SP HTTP/1.x` (RFC 9112 section 3).
    RequestLine = 1,
    /// A header line without a colon, with a blank before it, folded, or with a forbidden byte (section 5).
    HeaderLine,
    /// A bare LF or CR ends or splits a line (section 2.2).
    BareLineEnd,
    /// The HTTP version is neither 1.1 nor 1.0.
    Version,
    /// The target is not in origin form, nor absolute with the authority of `Host` (section 3.2).
    Target,
    /// A byte in the target that a URI may not hold: control, blank, non-ASCII, `#`, `\` and the like.
    TargetByte,
    /// The target is over 4 KiB.
    TargetTooLong,
    /// No `Host`, more than one, or an unusable one (section 3.2).
    Host,
    /// A header that may stand once stands twice: `Authorization`, `Content-Length`, `X-Request-Id` and the like.
    RepeatedHeader,
    /// A `Content-Length` that is not plain digits (RFC 9110 section 8.6).
    ContentLength,
    /// `Content-Length` and `Transfer-Encoding` together (section 6.1).
    LengthAndEncoding,
    /// `Transfer-Encoding` with an empty element, twice, or on HTTP/1.0 (section 6.1).
    TransferEncoding,
    /// A transfer coding other than `chunked` (section 6.1): answered with 501.
    UnknownCoding,
    /// An `Expect` other than `100-continue` (RFC 9110 section 10.1.1): answered with 417.
    Expectation,
    /// `CONNECT` or `PRI`, which no path of an origin serves; other methods are the route's to judge.
    Method,
    /// The head has over 64 header fields or 16 KiB: answered with 431.
    HeadTooLarge,
    /// The head was not complete in time: answered with 408.
    HeadTimeout,
}

impl Refusal {
    /// Every refusal, in the order of their numbers.
    pub const ALL: [Self; 17] = [
        Self::RequestLine,
        Self::HeaderLine,
        Self::BareLineEnd,
        Self::Version,
        Self::Target,
        Self::TargetByte,
        Self::TargetTooLong,
        Self::Host,
        Self::RepeatedHeader,
        Self::ContentLength,
        Self::LengthAndEncoding,
        Self::TransferEncoding,
        Self::UnknownCoding,
        Self::Expectation,
        Self::Method,
        Self::HeadTooLarge,
        Self::HeadTimeout,
    ];

    /// The word in metrics and log lines.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RequestLine => "request_line",
            Self::HeaderLine => "header_line",
            Self::BareLineEnd => "bare_line_end",
            Self::Version => "version",
            Self::Target => "target",
            Self::TargetByte => "target_byte",
            Self::TargetTooLong => "target_too_long",
            Self::Host => "host",
            Self::RepeatedHeader => "repeated_header",
            Self::ContentLength => "content_length",
            Self::LengthAndEncoding => "length_and_encoding",
            Self::TransferEncoding => "transfer_encoding",
            Self::UnknownCoding => "unknown_coding",
            Self::Expectation => "expectation",
            Self::Method => "method",
            Self::HeadTooLarge => "head_too_large",
            Self::HeadTimeout => "head_timeout",
        }
    }
}
