//! Cloud Infinite's answers.

use super::xml::{Element, parse};
use super::{CreateTime, Fault, Operation, RequestId, Unreadable};
use crate::domain::{Bucket, Region, Verb};

/// An answer as it came over the wire, its body at most 64 KiB and complete.
#[derive(Clone, Copy, Debug)]
pub struct Reply<'a> {
    /// The HTTP status.
    pub status: u16,
    /// `x-ci-request-id`, else `x-cos-request-id`.
    pub request_id: Option<&'a str>,
    /// The body.
    pub body: &'a [u8],
}

/// An answer that says what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Cloud Infinite's id of the request.
    pub request_id: Option<RequestId>,
    /// What it says.
    pub what: What,
}

/// What an answer says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The service is now on for the bucket.
    Created(Enrolment),
    /// The service is on for the bucket, or it is not.
    Described(Option<Enrolment>),
    /// The service is now off for the bucket.
    Deleted,
}

/// A bucket for which a service is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrolment {
    /// Cloud Infinite's name for the bucket: letters, digits, `.`, `_` and `-`.
    pub name: String,
    /// The region that Cloud Infinite names.
    pub region: Region,
    /// Since when.
    pub create_time: CreateTime,
}

/// An answer that does not say what was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unserved {
    /// A refusal, or a failure that Cloud Infinite admits.
    Fault(Fault),
    /// A success that cannot be read. The id may still help its support.
    Unreadable(Unreadable, Option<RequestId>),
}

/// What an answer has to be about.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// The bucket that was asked about.
    pub bucket: &'a Bucket,
    /// The region that was asked.
    pub region: &'a Region,
}

/// Reads the answer to `operation` on what was `asked` about.
///
/// # Errors
/// [`Unserved`] for everything but a success that speaks of the bucket.
pub fn read(operation: Operation, asked: Asked<'_>, reply: Reply<'_>) -> Result<Answer, Unserved> {
    let header_id = reply.request_id.and_then(RequestId::read);
    if !(200..300).contains(&reply.status) {
        return Err(Unserved::Fault(Fault::read(reply.status, header_id, reply.body)));
    }
    let unreadable = |why| Unserved::Unreadable(why, header_id.clone());
    let root = parse(reply.body).map_err(unreadable)?;
    if root.name() != "Response" {
        return Err(unreadable(Unreadable::WrongRoot));
    }
    let what = match operation.verb() {
        Verb::Create => created(operation, asked, &root),
        Verb::Describe => described(operation, asked, &root),
        Verb::Delete => deleted(asked.bucket, &root),
    };
    let what = what.map_err(unreadable)?;
    let request_id = header_id.or_else(|| root.child_text("RequestId").and_then(RequestId::read));
    Ok(Answer { request_id, what })
}

fn created(operation: Operation, asked: Asked<'_>, root: &Element) -> Result<What, Unreadable> {
    let node = root.child(operation.node()).ok_or(Unreadable::Node(operation.node()))?;
    if node.child_text("BucketId") != Some(asked.bucket.as_str()) {
        return Err(Unreadable::Node("BucketId"));
    }
    enrolment(asked, node).map(What::Created)
}

/// The list was asked for with this bucket's exact name; what else stands in it is not about us. A row that cannot be
/// read is not taken for another bucket's, and a count without rows not for an empty list.
fn described(operation: Operation, asked: Asked<'_>, root: &Element) -> Result<What, Unreadable> {
    let total: Option<u32> = match root.child_text("TotalCount") {
        Some(total) => Some(total.parse().map_err(|_| Unreadable::Node("TotalCount"))?),
        None => None,
    };
    let lists: Vec<&Element> = root.children_named(operation.list_nodes()).collect();
    if lists.is_empty() && total != Some(0) {
        return Err(Unreadable::Node("TotalCount"));
    }
    for row in lists.into_iter().flat_map(rows) {
        let bucket = row.child_text("BucketId").ok_or(Unreadable::Node("BucketId"))?;
        if bucket == asked.bucket.as_str() {
            return enrolment(asked, row).map(|enrolment| What::Described(Some(enrolment)));
        }
    }
    Ok(What::Described(None))
}

/// Each list node is a row; should one hold nothing but elements, those are. An empty node is an empty list.
fn rows(list: &Element) -> Vec<&Element> {
    if list.children().iter().any(|child| !child.has_children()) {
        vec![list]
    } else {
        list.children().iter().collect()
    }
}

fn deleted(bucket: &Bucket, root: &Element) -> Result<What, Unreadable> {
    if root.child_text("BucketName") == Some(bucket.as_str()) {
        Ok(What::Deleted)
    } else {
        Err(Unreadable::Node("BucketName"))
    }
}

/// Name and region may be left out, as the bucket is known by its id; what stands there has to be readable, and a
/// region other than the one that was asked is not believed.
fn enrolment(asked: Asked<'_>, node: &Element) -> Result<Enrolment, Unreadable> {
    let name = node.child_text("Name").unwrap_or(asked.bucket.as_str());
    let region = node.child_text("Region").unwrap_or(asked.region.as_str());
    if !is_bucket_label(name) {
        return Err(Unreadable::Node("Name"));
    }
    if region != asked.region.as_str() {
        return Err(Unreadable::Node("Region"));
    }
    let create_time = CreateTime::read(node.child_text("CreateTime"));
    Ok(Enrolment { name: name.to_owned(), region: asked.region.clone(), create_time })
}

fn is_bucket_label(name: &str) -> bool {
    const LONGEST: usize = 128;
    let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    !name.is_empty() && name.len() <= LONGEST && name.bytes().all(allowed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::Service;

    /// The product page's own example.
    const PAGE: &str = "<Response>\n<RequestId>NjJmMzRlZGZfOTBmYTUwNjRfNzI0MV8x</RequestId>\n<AsrBucket>\n<BucketId>test-1234567890</BucketId>\n<Name>test-1234567890</Name>\n<Region>ap-chongqing</Region>\n<CreateTime>2022-08-09T16:23:11+0800></CreateTime>\n</AsrBucket>\n</Response>";
    const LIST: &str = "<Response><TotalCount>2</TotalCount><RequestId>r</RequestId><PageNumber>1</PageNumber><PageSize>10</PageSize>\
        <AsrBucketList><BucketId>other-1</BucketId></AsrBucketList>\
        <AsrBucketList><CreateTime>2020-08-20T16:14:34+0800</CreateTime><AliasBucketId/><Region>ap-chongqing</Region><Name>test</Name><BucketId>test-1234567890</BucketId></AsrBucketList></Response>";

    fn bucket() -> Bucket {
        "test-1234567890".parse().unwrap()
    }

    fn asked(operation: Operation, reply: Reply<'_>) -> Result<Answer, Unserved> {
        let (bucket, region) = (bucket(), "ap-chongqing".parse().unwrap());
        read(operation, Asked { bucket: &bucket, region: &region }, reply)
    }

    fn answer(verb: Verb, body: &str) -> Result<Answer, Unserved> {
        asked(Operation::new(Service::SmartAudio, verb), Reply { status: 200, request_id: None, body: body.as_bytes() })
    }

    fn unreadable(verb: Verb, body: &str) -> Unreadable {
        match answer(verb, body) {
            Err(Unserved::Unreadable(why, _)) => why,
            other => panic!("{other:?}"),
        }
    }

    fn enrolled(name: &str, create_time: &str) -> Enrolment {
        let create_time = CreateTime::Read(create_time.to_owned());
        Enrolment { name: name.to_owned(), region: "ap-chongqing".parse().unwrap(), create_time }
    }

    #[test]
    fn the_product_pages_example_is_read_with_and_without_declaration() {
        for body in [PAGE.to_owned(), format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{PAGE}\n")] {
            let answer = answer(Verb::Create, &body).unwrap();
            assert_eq!(answer.request_id.unwrap().as_str(), "NjJmMzRlZGZfOTBmYTUwNjRfNzI0MV8x");
            assert_eq!(answer.what, What::Created(enrolled("test-1234567890", "2022-08-09T16:23:11+08:00")));
        }
    }

    #[test]
    fn every_service_is_read_under_its_own_node_and_no_other() {
        for service in Service::ALL {
            let operation = Operation::new(service, Verb::Create);
            let own = PAGE.replace("AsrBucket", operation.node());
            let reply = |body| Reply { status: 200, request_id: Some("from-header"), body };
            let answer = asked(operation, reply(own.as_bytes())).unwrap();
            assert_eq!(answer.request_id.unwrap().as_str(), "from-header");
            let foreign = PAGE.replace("AsrBucket", "NodeOfAnother");
            assert!(asked(operation, reply(foreign.as_bytes())).is_err());
        }
    }

    #[test]
    fn a_bucket_is_found_in_a_list_of_either_name_in_any_order_of_nodes() {
        for body in [LIST.to_owned(), LIST.replace("AsrBucketList", "SpeechBucketList")] {
            let what = answer(Verb::Describe, &body).unwrap().what;
            assert_eq!(what, What::Described(Some(enrolled("test", "2020-08-20T16:14:34+08:00"))));
        }
    }

    #[test]
    fn a_list_without_the_bucket_says_that_it_is_not_enrolled() {
        let empty = "<Response><RequestId>r</RequestId><TotalCount>0</TotalCount></Response>";
        for body in [empty.to_owned(), LIST.replace("test-1234567890", "test2-1234567890")] {
            assert_eq!(answer(Verb::Describe, &body).unwrap().what, What::Described(None));
        }
    }

    #[test]
    fn a_list_without_a_count_is_read_by_its_rows() {
        let body = LIST.replace("<TotalCount>2</TotalCount>", "");
        assert!(matches!(answer(Verb::Describe, &body).unwrap().what, What::Described(Some(_))));
    }

    #[test]
    fn rows_within_one_list_node_are_read_too() {
        let row = "<AsrBucket><BucketId>test-1234567890</BucketId></AsrBucket>";
        let body = format!(
            "<Response><AsrBucketList><AsrBucket><BucketId>b-1</BucketId></AsrBucket>{row}</AsrBucketList></Response>"
        );
        let What::Described(Some(enrolment)) = answer(Verb::Describe, &body).unwrap().what else { panic!() };
        assert_eq!((enrolment.name.as_str(), enrolment.region.as_str()), ("test-1234567890", "ap-chongqing"));
        let empty = "<Response><TotalCount>0</TotalCount><AsrBucketList/></Response>";
        assert_eq!(answer(Verb::Describe, empty).unwrap().what, What::Described(None));
    }

    #[test]
    fn a_list_that_cannot_be_read_is_not_taken_for_one_without_the_bucket() {
        for (body, node) in [
            ("<Response><TotalCount>1</TotalCount><RenamedList/></Response>", "TotalCount"),
            ("<Response><TotalCount>many</TotalCount></Response>", "TotalCount"),
            ("<Response/>", "TotalCount"),
            (
                "<Response><TotalCount>1</TotalCount><AsrBucketList><Name>test-1234567890</Name></AsrBucketList></Response>",
                "BucketId",
            ),
            ("<Response><AsrBucketList><AsrBucket><Name>x</Name></AsrBucket></AsrBucketList></Response>", "BucketId"),
        ] {
            assert_eq!(unreadable(Verb::Describe, body), Unreadable::Node(node), "{body}");
        }
    }

    #[test]
    fn a_deletion_is_believed_only_of_this_bucket() {
        let body = "<Response><RequestId>r</RequestId><BucketName>test-1234567890</BucketName></Response>";
        assert_eq!(answer(Verb::Delete, body).unwrap().what, What::Deleted);
        assert_eq!(unreadable(Verb::Delete, &body.replace("test-", "other-")), Unreadable::Node("BucketName"));
        assert_eq!(unreadable(Verb::Delete, "<Response/>"), Unreadable::Node("BucketName"));
    }

    #[test]
    fn answers_that_do_not_say_what_was_asked_are_unreadable() {
        for (body, why) in [
            (String::new(), Unreadable::Empty),
            (PAGE.replace("Response>", "Result>"), Unreadable::WrongRoot),
            (format!("{PAGE}<x/>"), Unreadable::Malformed),
            (format!("<!DOCTYPE Response>{PAGE}"), Unreadable::Forbidden),
            ("<html><body><p>hello</body></html>".to_owned(), Unreadable::Malformed),
            (PAGE.replace("BucketId>test", "BucketId>other"), Unreadable::Node("BucketId")),
            (PAGE.replace("<Name>test", "<Name>te st"), Unreadable::Node("Name")),
            (PAGE.replace("ap-chongqing", "evil.example/"), Unreadable::Node("Region")),
            (PAGE.replace("ap-chongqing", "ap-beijing"), Unreadable::Node("Region")),
            ("<Error><Code>AccessDenied</Code></Error>".to_owned(), Unreadable::WrongRoot),
        ] {
            assert_eq!(unreadable(Verb::Create, &body), why, "{body}");
        }
    }

    #[test]
    fn a_create_time_that_is_missing_or_odd_does_not_spoil_the_answer() {
        let odd = PAGE.replace("2022-08-09T16:23:11+0800>", "soon");
        let What::Created(enrolment) = answer(Verb::Create, &odd).unwrap().what else { panic!() };
        assert_eq!(enrolment.create_time, CreateTime::Raw("soon".to_owned()));
        let none = PAGE.replace("<CreateTime>2022-08-09T16:23:11+0800></CreateTime>", "");
        let What::Created(enrolment) = answer(Verb::Create, &none).unwrap().what else { panic!() };
        assert_eq!(enrolment.create_time, CreateTime::Absent);
    }

    #[test]
    fn any_other_status_is_a_fault() {
        let reply = Reply { status: 403, request_id: None, body: PAGE.as_bytes() };
        assert!(matches!(asked(Operation::new(Service::SmartAudio, Verb::Create), reply), Err(Unserved::Fault(_))));
    }

    proptest! {
        #[test]
        fn no_cut_of_an_answer_is_taken_for_the_answer(end in 0..PAGE.len()) {
            prop_assert!(answer(Verb::Create, PAGE.get(..end).unwrap()).is_err());
        }
    }
}
