//! The one place where a host name of Cloud Infinite is made.

use crate::domain::{Bucket, Region};

/// The domain of every call; no other is configurable.
const DOMAIN: &str = "myqcloud.com";

/// The host of the calls that change a bucket.
///
/// INVARIANT: exactly one host for each pair. Both parts are DNS labels without dots, so neither can move
/// the name out of the domain.
pub(super) fn of_bucket(bucket: &Bucket, region: &Region) -> String {
    format!("{bucket}.{}", of_region(region))
}

/// The host of the calls that list buckets.
#[must_use]
pub fn of_region(region: &Region) -> String {
    format!("ci.{region}.{DOMAIN}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_documented_host_is_made() {
        let host = of_bucket(&"test-1234567890".parse().unwrap(), &"ap-chongqing".parse().unwrap());
        assert_eq!(host, "test-1234567890.ci.ap-chongqing.myqcloud.com");
    }

    proptest! {
        #[test]
        fn any_accepted_pair_gives_exactly_its_own_host_in_the_domain(bucket in "\\PC{0,66}|[a-z0-9.-]{1,20}-[0-9]{1,10}", region in "\\PC{0,34}|[a-z0-9.-]{1,34}") {
            if let (Ok(parsed_bucket), Ok(parsed_region)) = (bucket.parse(), region.parse()) {
                let host = of_bucket(&parsed_bucket, &parsed_region);
                let labels: Vec<&str> = host.split('.').collect();
                prop_assert_eq!(labels, vec![bucket.as_str(), "ci", region.as_str(), "myqcloud", "com"]);
                let uri: http::Uri = format!("https://{host}/asrbucket").parse().unwrap();
                prop_assert_eq!(uri.host(), Some(host.as_str()));
                prop_assert_eq!(uri.path(), "/asrbucket");
            }
        }
    }
}
