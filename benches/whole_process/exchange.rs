//! The one request that is measured, and the answers on its connection.

use std::io::{self, ErrorKind};

/// The bucket that everybody asks for.
pub(crate) const BUCKET: &str = "test-1234567890";

/// The request as bytes. Its host is the cloud's own, so that the pass-through can hand the head on as it came.
pub(crate) fn request(token: &str) -> Vec<u8> {
    format!(
        "POST /v1/buckets/{BUCKET}/smart-audio HTTP/1.1\r\n\
         Host: {BUCKET}.ci.ap-chongqing.myqcloud.com\r\n\
         Authorization: Bearer {token}\r\n\
         Content-Length: 0\r\n\r\n"
    )
    .into_bytes()
}

/// An answer's place in what was read so far.
pub(crate) struct Answer<'a> {
    pub(crate) status: u16,
    pub(crate) body: &'a [u8],
    pub(crate) length: usize,
}

impl Answer<'_> {
    /// Whether it is a success about the bucket that was asked for.
    pub(crate) fn is_good(&self) -> bool {
        (200..300).contains(&self.status) && contains(self.body, BUCKET.as_bytes())
    }
}

/// Reads an answer with a `Content-Length` from the beginning of `bytes`; none if its end is not there yet.
pub(crate) fn answer(bytes: &[u8]) -> io::Result<Option<Answer<'_>>> {
    let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let start = end + 4;
    let broken = || io::Error::new(ErrorKind::InvalidData, "an answer without status or length");
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| broken())?;
    let status = head.get(9..12).and_then(|digits| digits.parse().ok()).ok_or_else(broken)?;
    let length: usize = head.split("\r\n").find_map(content_length).ok_or_else(broken)?;
    Ok(bytes.get(start..start + length).map(|body| Answer { status, body, length: start + length }))
}

fn content_length(line: &str) -> Option<usize> {
    let (name, value) = line.split_once(':')?;
    if name.eq_ignore_ascii_case("content-length") { value.trim().parse().ok() } else { None }
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}
