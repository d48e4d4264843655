//! What a request is about: the service of its path and the place in its host.

use crate::domain::{Bucket, Region, Service};

use super::refusal::Refusal;

const DOMAIN: &str = ".myqcloud.com";

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// `ci.<region>.myqcloud.com`, for lists.
    Region(Region),
    /// `<bucket>.ci.<region>.myqcloud.com`, for one bucket.
    Bucket(Bucket, Region),
}

impl Place {
    /// Reads the host; its case does not count, and a port is the transport's business.
    ///
    /// # Errors
    /// A [`Refusal`] for a host that is not Cloud Infinite's, or whose bucket or region cannot be one.
    pub(super) fn of_host(host: &str) -> Result<Self, Refusal> {
        let host = host.to_ascii_lowercase();
        let name = match host.split_once(':') {
            Some((name, port)) if port.parse::<u16>().is_ok() => name,
            Some(_) => return Err(Refusal::ForeignHost),
            None => &host,
        };
        let labels = name.strip_suffix(DOMAIN).ok_or(Refusal::ForeignHost)?;
        let (bucket, region) = match labels.strip_prefix("ci.") {
            Some(region) => (None, region),
            None => {
                labels.split_once(".ci.").map(|(bucket, region)| (Some(bucket), region)).ok_or(Refusal::ForeignHost)?
            }
        };
        let region = region.parse().map_err(|_| Refusal::RegionName)?;
        match bucket {
            None => Ok(Self::Region(region)),
            Some(bucket) => Ok(Self::Bucket(bucket.parse().map_err(|_| Refusal::BucketName)?, region)),
        }
    }
}

/// The service whose activation call has this path.
pub(super) fn service_of_path(path: &str) -> Option<Service> {
    Service::ALL.into_iter().find(|service| service_path(*service) == path)
}

/// The path of a service's three calls.
const fn service_path(service: Service) -> &'static str {
    match service {
        Service::SmartAudio => "/asrbucket",
        Service::Media => "/mediabucket",
        Service::Documents => "/docbucket",
        Service::Images => "/picbucket",
        Service::Ai => "/ai_bucket",
        Service::Files => "/file_bucket",
    }
}

/// The node that describes a bucket in the answer to a POST; a list has the same with `List` behind it.
pub(super) const fn bucket_node(service: Service) -> &'static str {
    match service {
        Service::SmartAudio => "AsrBucket",
        Service::Media => "MediaBucket",
        Service::Documents => "DocBucket",
        Service::Images => "PicBucket",
        Service::Ai => "AiBucket",
        Service::Files => "FileBucket",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_kinds_of_host_are_told_apart() {
        let region = || "ap-chongqing".parse().unwrap();
        assert_eq!(Place::of_host("ci.ap-chongqing.myqcloud.com"), Ok(Place::Region(region())));
        let bucket = Place::Bucket("test-1234567890".parse().unwrap(), region());
        assert_eq!(Place::of_host("test-1234567890.ci.ap-chongqing.myqcloud.com"), Ok(bucket.clone()));
        assert_eq!(Place::of_host("Test-1234567890.CI.ap-chongqing.myqcloud.com:8000"), Ok(bucket));
    }

    #[test]
    fn other_hosts_are_refused_with_what_is_wrong() {
        for (host, expected) in [
            ("127.0.0.1:8000", Refusal::ForeignHost),
            ("", Refusal::ForeignHost),
            ("test-1.cos.ap-x.myqcloud.com", Refusal::ForeignHost),
            ("test-1.ci.ap-x.myqcloud.com.evil", Refusal::ForeignHost),
            ("ci.ap-x.myqcloud.com:http", Refusal::ForeignHost),
            ("ci..myqcloud.com", Refusal::RegionName),
            ("ci.ap.x.myqcloud.com", Refusal::RegionName),
            ("test.ci.ap-x.myqcloud.com", Refusal::BucketName),
            (".ci.ap-x.myqcloud.com", Refusal::BucketName),
            ("a.b-1.ci.ap-x.myqcloud.com", Refusal::BucketName),
        ] {
            assert_eq!(Place::of_host(host), Err(expected), "{host}");
        }
    }

    #[test]
    fn every_service_has_its_own_path() {
        for service in Service::ALL {
            assert_eq!(service_of_path(service_path(service)), Some(service));
        }
        assert_eq!(service_of_path("/asrbucket/"), None);
    }
}
