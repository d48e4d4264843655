//! The request that an operation makes of Cloud Infinite.

use super::{Operation, host};
use crate::domain::{Bucket, Region, Verb};
use crate::signing::Request;

/// The unsigned request for `operation` on `bucket` in `region`. Nothing of the caller's request but these
/// three values goes into it.
#[must_use]
pub fn request(operation: Operation, bucket: &Bucket, region: &Region) -> Request {
    let (host, params) = match operation.verb() {
        Verb::Create | Verb::Delete => (host::of_bucket(bucket, region), Vec::new()),
        Verb::Describe => (host::of_region(region), list_of_one(bucket, region)),
    };
    Request::new(operation.method(), host, operation.upstream_path(), params)
}

/// The list call narrowed to one bucket: `bucketNames` is exact where `bucketName` is a prefix, and the scope
/// without `regions` is not documented.
fn list_of_one(bucket: &Bucket, region: &Region) -> Vec<(&'static str, String)> {
    vec![
        ("bucketNames", bucket.to_string()),
        ("regions", region.to_string()),
        ("pageNumber", "1".to_owned()),
        ("pageSize", "10".to_owned()),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::credentials::Keys;
    use crate::domain::Service;

    fn signed(verb: Verb) -> crate::signing::SignedRequest {
        let (bucket, region) = ("test-1234567890".parse().unwrap(), "ap-chongqing".parse().unwrap());
        let keys = Keys::new("id", "key", None).unwrap();
        request(Operation::new(Service::SmartAudio, verb), &bucket, &region)
            .sign(&keys, "1;2".parse().unwrap())
            .unwrap()
    }

    #[test]
    fn changes_go_to_the_buckets_own_host() {
        for verb in [Verb::Create, Verb::Delete] {
            assert_eq!(signed(verb).host(), "test-1234567890.ci.ap-chongqing.myqcloud.com");
            assert_eq!(signed(verb).path_and_query(), "/asrbucket");
        }
    }

    #[test]
    fn a_look_lists_this_bucket_alone_on_the_regions_host() {
        assert_eq!(signed(Verb::Describe).host(), "ci.ap-chongqing.myqcloud.com");
        assert_eq!(
            signed(Verb::Describe).path_and_query(),
            "/asrbucket?bucketNames=test-1234567890&regions=ap-chongqing&pageNumber=1&pageSize=10"
        );
    }
}
