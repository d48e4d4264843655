//! Which services are on for which buckets, and since when.

use std::collections::HashMap;

use jiff::Timestamp;

use super::refusal::Refusal;
use super::request::Received;
use crate::domain::{Bucket, Region, Service};

const DEFAULT_PAGE_SIZE: usize = 10;
const LARGEST_PAGE_SIZE: usize = 100;

/// The state of the stand-in, in memory.
#[derive(Debug, Default)]
pub(super) struct Enrolments(HashMap<(Service, Region, Bucket), Timestamp>);

/// A bucket for which a service is on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Enrolment {
    pub(super) bucket: Bucket,
    pub(super) region: Region,
    pub(super) since: Timestamp,
}

impl Enrolments {
    /// Switches a service on.
    ///
    /// A second POST is answered as the first was, with the time of the first. Upstream's behaviour is not
    /// documented; this one makes a repeated POST harmless, which no client may rely on.
    pub(super) fn enrol(&mut self, service: Service, bucket: Bucket, region: Region, now: Timestamp) -> Enrolment {
        let since = *self.0.entry((service, region.clone(), bucket.clone())).or_insert(now);
        Enrolment { bucket, region, since }
    }

    /// Switches a service off.
    ///
    /// Where it is off already, that is a success as well. Upstream's behaviour is not documented; a refusal as
    /// `NoSuchBucket`, the only code that comes near, would say of a bucket that exists that it does not.
    pub(super) fn remove(&mut self, service: Service, bucket: Bucket, region: Region) {
        self.0.remove(&(service, region, bucket));
    }

    /// One page of the buckets for which a service is on, ordered by region and name.
    pub(super) fn list(&self, service: Service, search: &Search) -> Page {
        let mut found: Vec<_> = self
            .0
            .iter()
            .filter(|((other, region, bucket), _)| *other == service && search.matches(region, bucket))
            .map(|((_, region, bucket), since)| Enrolment {
                bucket: bucket.clone(),
                region: region.clone(),
                since: *since,
            })
            .collect();
        found.sort_by(|a, b| (a.region.as_str(), a.bucket.as_str()).cmp(&(b.region.as_str(), b.bucket.as_str())));
        let total = found.len();
        let skipped = search.page_size.saturating_mul(search.page_number.saturating_sub(1));
        let items = found.into_iter().skip(skipped).take(search.page_size).collect();
        Page { total, number: search.page_number, size: search.page_size, items }
    }
}

/// A part of a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Page {
    pub(super) total: usize,
    pub(super) number: usize,
    pub(super) size: usize,
    pub(super) items: Vec<Enrolment>,
}

/// What a list call asks for. Source: "Querying", <https://cloud.tencent.com/document/product/460/46232>.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Search {
    /// `None` for every region.
    regions: Option<Vec<Box<str>>>,
    /// `None` for every bucket.
    names: Option<Vec<Box<str>>>,
    prefix: Box<str>,
    page_number: usize,
    page_size: usize,
}

impl Search {
    /// Reads the five parameters; an empty one counts as absent, as the Python SDK always sends all five.
    ///
    /// Without `regions` the host's region is searched; upstream's scope is not documented.
    ///
    /// # Errors
    /// [`Refusal::Argument`] for a page number or size that is out of bounds; upstream's answer to that is
    /// not documented.
    pub(super) fn read(request: &Received, host_region: &Region) -> Result<Self, Refusal> {
        let regions = match request.parameter("regions") {
            "" => Some(vec![host_region.as_str().into()]),
            "All" => None,
            list => Some(split(list)),
        };
        let names = Some(request.parameter("bucketNames")).filter(|list| !list.is_empty()).map(split);
        let page_size = number(request.parameter("pageSize"), DEFAULT_PAGE_SIZE)
            .filter(|size| *size <= LARGEST_PAGE_SIZE)
            .ok_or(Refusal::Argument("pageSize is not a number from 1 to 100."))?;
        let page_number = number(request.parameter("pageNumber"), 1)
            .ok_or(Refusal::Argument("pageNumber is not a number from 1."))?;
        Ok(Self { regions, names, prefix: request.parameter("bucketName").into(), page_number, page_size })
    }

    fn matches(&self, region: &Region, bucket: &Bucket) -> bool {
        let among = |list: &Option<Vec<Box<str>>>, word: &str| {
            list.as_ref().is_none_or(|list| list.iter().any(|other| **other == *word))
        };
        among(&self.regions, region.as_str())
            && among(&self.names, bucket.as_str())
            && bucket.as_str().starts_with(&*self.prefix)
    }
}

fn split(list: &str) -> Vec<Box<str>> {
    list.split(',').map(Into::into).collect()
}

fn number(text: &str, default: usize) -> Option<usize> {
    if text.is_empty() { Some(default) } else { text.parse().ok().filter(|number| *number > 0) }
}
