//! The bodies, in the shapes of the documentation.

use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};

use super::enrolments::{Enrolment, Page};
use super::place::bucket_node;
use super::refusal::Refusal;
use super::verify::Stages;
use crate::domain::{Bucket, Service};

/// The root of every success.
pub(super) const ROOT: &str = "Response";

/// The nodes of a success, without root and request id.
///
/// Source: "Enabling Smart Audio Service" and the pages of the sibling services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Nodes(String);

impl Nodes {
    /// The answer to a POST.
    pub(super) fn enrolled(service: Service, enrolment: &Enrolment) -> Self {
        Self(node(bucket_node(service), enrolment))
    }

    /// The answer to a DELETE.
    pub(super) fn removed(bucket: &Bucket) -> Self {
        Self(element("BucketName", bucket.as_str()))
    }

    /// The answer to a GET: one list node per bucket.
    pub(super) fn listed(service: Service, page: &Page) -> Self {
        let mut nodes = element("TotalCount", &page.total.to_string());
        nodes.push_str(&element("PageNumber", &page.number.to_string()));
        nodes.push_str(&element("PageSize", &page.size.to_string()));
        let name = format!("{}List", bucket_node(service));
        page.items.iter().for_each(|enrolment| nodes.push_str(&node(&name, enrolment)));
        Self(nodes)
    }

    /// The whole body under a root.
    pub(super) fn under(&self, root: &str, request_id: &str) -> String {
        format!("<{root}>\n{}{}</{root}>\n", element("RequestId", request_id), self.0)
    }
}

/// What an error says of its request.
#[derive(Clone, Copy, Debug)]
pub(super) struct About<'a> {
    pub(super) resource: &'a str,
    /// Our view of what was signed, where that is what is refused and can be said.
    pub(super) stages: Option<&'a Stages>,
    pub(super) request_id: &'a str,
    pub(super) trace_id: &'a str,
}

/// The body of an error.
///
/// Real captures have `Resource`, and the official Python SDK calls an error without it invalid. The
/// declaration in single quotes is that of the documentation,
/// <https://www.tencentcloud.com/document/product/1045/43611>.
pub(super) fn error(refusal: &Refusal, about: About<'_>, now: Timestamp) -> String {
    let About { resource, stages, request_id, trace_id } = about;
    let mut nodes = element("Code", refusal.code());
    nodes.push_str(&element("Message", &refusal.message()));
    nodes.push_str(&element("Resource", resource));
    if let Some(stages) = stages {
        nodes.push_str(&element("StringToSign", &stages.string_to_sign));
        nodes.push_str(&element("FormatString", &stages.http_string));
    }
    if refusal.tells_time() {
        nodes.push_str(&element("ServerTime", &now.strftime("%Y-%m-%dT%H:%M:%SZ").to_string()));
    }
    nodes.push_str(&element("RequestId", request_id));
    nodes.push_str(&element("TraceId", trace_id));
    format!("<?xml version='1.0' encoding='utf-8' ?>\n<Error>\n{nodes}</Error>\n")
}

fn node(name: &str, enrolment: &Enrolment) -> String {
    let bucket = enrolment.bucket.as_str();
    let children = [
        element("BucketId", bucket),
        element("Name", bucket),
        element("Region", enrolment.region.as_str()),
        element("CreateTime", &create_time(enrolment.since)),
    ];
    format!("<{name}>\n{}</{name}>\n", children.concat())
}

/// China's time with an offset without colon, as CI writes it.
fn create_time(since: Timestamp) -> String {
    const CHINA: Offset = Offset::constant(8);
    since.to_zoned(TimeZone::fixed(CHINA)).strftime("%Y-%m-%dT%H:%M:%S%z").to_string()
}

fn element(name: &str, text: &str) -> String {
    format!("<{name}>{}</{name}>\n", escape(text))
}

/// Text that is neither markup nor something that XML 1.0 forbids, whatever a request put into it.
fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            // A reader turns a bare one into a line feed.
            '\r' => escaped.push_str("&#13;"),
            '\t' | '\n' => escaped.push(c),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => escaped.push(char::REPLACEMENT_CHARACTER),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use quick_xml::Reader;
    use quick_xml::events::Event;

    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn about(resource: &str) -> About<'_> {
        About { resource, stages: None, request_id: "r", trace_id: "t" }
    }

    #[test]
    fn the_answer_to_a_post_is_that_of_the_product_page() {
        let enrolment = Enrolment {
            bucket: "test-1234567890".parse().unwrap(),
            region: "ap-chongqing".parse().unwrap(),
            since: at(1_660_033_391),
        };
        let body = Nodes::enrolled(Service::SmartAudio, &enrolment).under(ROOT, "NjJmMzRlZGZfOTBmYTUwNjRfNzI0MV8x");
        assert_eq!(
            body,
            "<Response>\n<RequestId>NjJmMzRlZGZfOTBmYTUwNjRfNzI0MV8x</RequestId>\n<AsrBucket>\n\
             <BucketId>test-1234567890</BucketId>\n<Name>test-1234567890</Name>\n<Region>ap-chongqing</Region>\n\
             <CreateTime>2022-08-09T16:23:11+0800</CreateTime>\n</AsrBucket>\n</Response>\n"
        );
    }

    #[test]
    fn an_expired_window_comes_with_the_time_of_the_server() {
        let body = error(&Refusal::Expired, about("host/path"), at(1_660_033_391));
        assert!(body.contains("<ServerTime>2022-08-09T08:23:11Z</ServerTime>"), "{body}");
        assert!(body.contains("<Message>Request has expired</Message>"), "{body}");
    }

    proptest! {
        #[test]
        fn whatever_a_request_names_the_error_stays_one_flat_document(resource in "[\\PC\\x00-\\x1f<>&\\]\"']{0,40}") {
            let body = error(&Refusal::UnknownKey, about(&resource), at(0));
            let mut reader = Reader::from_str(&body);
            let mut depth = 0_usize;
            loop {
                match reader.read_event().unwrap() {
                    Event::Start(_) => depth += 1,
                    Event::End(_) => depth -= 1,
                    Event::Eof => break,
                    Event::Comment(_) | Event::CData(_) | Event::PI(_) | Event::DocType(_) => prop_assert!(false, "{}", body),
                    Event::Text(_) | Event::Decl(_) | Event::Empty(_) | Event::GeneralRef(_) => {}
                }
                prop_assert!(depth <= 2);
            }
        }
    }
}
