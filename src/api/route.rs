//! Step 1: method, path and query become an operation on a bucket in a region, or one of the open pages.

use std::collections::HashMap;

use http::{Method, Uri};
use percent_encoding::percent_decode_str;

use super::error::Error;
use crate::ci::Operation;
use crate::domain::{Bucket, Code, Region, Service, Verb};

/// The regions that the configuration knows.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Regions {
    /// The region of each bucket that has an entry of its own.
    pub buckets: HashMap<Bucket, Region>,
    /// The region of every other bucket.
    pub default: Option<Region>,
}

impl Regions {
    fn of(&self, bucket: &Bucket) -> Option<&Region> {
        self.buckets.get(bucket).or(self.default.as_ref())
    }
}

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Route {
    /// To Cloud Infinite, if all goes well.
    Operation(Target),
    /// `GET /openapi.json`.
    OpenApi,
    /// `GET /problems/{code}`.
    Problem(Code),
    /// `GET /healthz`.
    Health,
}

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) operation: Operation,
    pub(super) bucket: Bucket,
    pub(super) region: Region,
    /// Do everything but the call.
    pub(super) validate_only: bool,
}

/// Reads the head's first line. Only what the table knows passes; the path is compared as it came, without
/// decoding, so that what is matched, decided on and signed is the same text.
pub(super) fn route(method: &Method, uri: &Uri, regions: &Regions) -> Result<Route, Error> {
    let segments = uri.path().strip_prefix('/').unwrap_or_default();
    let mut segments = segments.split('/');
    let path = (segments.next(), segments.next(), segments.next(), segments.next(), segments.next());
    match path {
        (Some("v1"), Some("buckets"), Some(bucket), Some(word), None) => {
            let service = Service::from_word(word).ok_or(Error::NotFound)?;
            target(verb(method)?, service, bucket, uri.query(), regions).map(Route::Operation)
        }
        (Some("problems"), Some(code), None, None, None) => {
            let code = Code::from_word(code).ok_or(Error::NotFound)?;
            only_look(method).map(|()| Route::Problem(code))
        }
        (Some("openapi.json"), None, None, None, None) => only_look(method).map(|()| Route::OpenApi),
        (Some("healthz"), None, None, None, None) => only_look(method).map(|()| Route::Health),
        _ => Err(Error::NotFound),
    }
}

fn verb(method: &Method) -> Result<Verb, Error> {
    let named = |verb: &Verb| Operation::new(Service::SmartAudio, *verb).method() == *method;
    Verb::ALL.into_iter().find(named).ok_or(Error::MethodNotAllowed("GET, POST, DELETE"))
}

/// The methods of the pages that need no credentials; hyper leaves out the body of the answer to a HEAD.
pub(super) const LOOKING: &str = "GET, HEAD";

/// Refuses whatever does more than look.
pub(super) fn only_look(method: &Method) -> Result<(), Error> {
    if *method == Method::GET || *method == Method::HEAD { Ok(()) } else { Err(Error::MethodNotAllowed(LOOKING)) }
}

fn target(verb: Verb, service: Service, bucket: &str, query: Option<&str>, regions: &Regions) -> Result<Target, Error> {
    let bucket: Bucket = bucket.parse().map_err(Error::InvalidBucket)?;
    let query = Query::read(query.unwrap_or_default())?;
    let region = match query.region {
        Some(region) => region,
        None => regions.of(&bucket).cloned().ok_or(Error::RegionRequired)?,
    };
    Ok(Target {
        operation: Operation::new(service, verb),
        bucket,
        region,
        validate_only: query.validate_only.unwrap_or(false),
    })
}

#[derive(Default)]
struct Query {
    region: Option<Region>,
    validate_only: Option<bool>,
}

impl Query {
    /// Every parameter is known and stands once; a value is decoded once.
    fn read(text: &str) -> Result<Self, Error> {
        let mut query = Self::default();
        for pair in text.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let value = percent_decode_str(value).decode_utf8().map_err(|_| Error::ParameterEncoding)?;
            let repeated = match name {
                "region" => query.region.replace(value.parse().map_err(Error::InvalidRegion)?).is_some(),
                "validate_only" => query.validate_only.replace(truth(&value)?).is_some(),
                _ => return Err(Error::UnknownParameter),
            };
            if repeated {
                return Err(Error::RepeatedParameter);
            }
        }
        Ok(query)
    }
}

fn truth(value: &str) -> Result<bool, Error> {
    match value {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(Error::NotTrueOrFalse),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn regions() -> Regions {
        let own = ("own-1234567890".parse().unwrap(), "ap-beijing".parse().unwrap());
        Regions { buckets: HashMap::from([own]), default: Some("ap-chongqing".parse().unwrap()) }
    }

    fn routed(method: &str, target: &str) -> Result<Route, Error> {
        route(&method.parse().unwrap(), &target.parse().unwrap(), &regions())
    }

    fn region(target: &str) -> String {
        match routed("POST", target) {
            Ok(Route::Operation(target)) => target.region.to_string(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_request_names_the_region_before_the_buckets_entry_before_the_default() {
        assert_eq!(region("/v1/buckets/own-1234567890/media?region=ap-tokyo"), "ap-tokyo");
        assert_eq!(region("/v1/buckets/own-1234567890/media?region=ap%2Dtokyo"), "ap-tokyo");
        assert_eq!(region("/v1/buckets/own-1234567890/media"), "ap-beijing");
        assert_eq!(region("/v1/buckets/test-1234567890/media"), "ap-chongqing");
        let none = route(&Method::POST, &"/v1/buckets/test-1/media".parse().unwrap(), &Regions::default());
        assert!(matches!(none, Err(Error::RegionRequired)));
    }

    #[test]
    fn every_row_of_the_table_has_its_route_and_no_other_word_has_one() {
        for operation in Operation::all() {
            let target = format!("/v1/buckets/test-1234567890/{}?validate_only=true", operation.service().as_str());
            let Ok(Route::Operation(target)) = routed(operation.method().as_str(), &target) else { panic!("{target}") };
            assert_eq!((target.operation, target.validate_only), (operation, true));
        }
        for path in [
            "/",
            "/v1",
            "/v1/buckets",
            "/v1/buckets/test-1",
            "/v1/buckets/test-1/",
            "/v1/buckets/test-1/audio",
            "/v1/buckets/test-1/smart-audio/",
            "/v1/buckets//smart-audio",
            "//v1/buckets/test-1/smart-audio",
            "/V1/buckets/test-1/media",
            "/problems/",
            "/problems/nope",
            "/openapi.json/",
            "/metrics",
            "/v1/buckets/a/b/smart-audio",
        ] {
            let refused = routed("GET", path);
            assert!(matches!(refused, Err(Error::NotFound | Error::InvalidBucket(_))), "{path}: {refused:?}");
        }
    }

    #[test]
    fn a_wrong_method_names_the_right_ones() {
        for (method, path, allow) in [
            ("PUT", "/v1/buckets/test-1/media", "GET, POST, DELETE"),
            ("HEAD", "/v1/buckets/test-1/media", "GET, POST, DELETE"),
            ("POST", "/healthz", "GET, HEAD"),
            ("DELETE", "/problems/forbidden", "GET, HEAD"),
        ] {
            assert!(
                matches!(routed(method, path), Err(Error::MethodNotAllowed(named)) if named == allow),
                "{method} {path}"
            );
        }
    }

    #[test]
    fn the_open_pages_may_be_looked_at_with_head() {
        for path in ["/healthz", "/openapi.json", "/problems/forbidden"] {
            assert_eq!(routed("HEAD", path).unwrap(), routed("GET", path).unwrap());
        }
    }

    #[test]
    fn unknown_repeated_and_unreadable_parameters_are_refused() {
        let at = |query: &str| routed("POST", &format!("/v1/buckets/test-1234567890/media?{query}")).unwrap_err();
        assert!(matches!(at("access_token=x"), Error::UnknownParameter));
        assert!(matches!(at("Region=ap-x"), Error::UnknownParameter));
        assert!(matches!(at("region=ap-x&region=ap-x"), Error::RepeatedParameter));
        assert!(matches!(at("validate_only=true&validate_only=true"), Error::RepeatedParameter));
        assert!(matches!(at("validate_only=1"), Error::NotTrueOrFalse));
        assert!(matches!(at("region=%ff"), Error::ParameterEncoding));
        for region in ["", "evil.example", "AP", "a/b", "a%2Fb", "[::1]", "a+b"] {
            assert!(matches!(at(&format!("region={region}")), Error::InvalidRegion(_)), "{region}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_routed_holds_exactly_the_text_of_its_path(bucket in "[a-z0-9%./;-]{1,20}", word in "[a-z-]{2,12}|smart-audio|media") {
            let path = format!("/v1/buckets/{bucket}/{word}");
            if let Ok(uri) = path.parse::<Uri>()
                && let Ok(Route::Operation(target)) = route(&Method::POST, &uri, &regions())
            {
                prop_assert_eq!(format!("/v1/buckets/{}/{}", target.bucket, target.operation.service().as_str()), path);
            }
        }
    }
}
