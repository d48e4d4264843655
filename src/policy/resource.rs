//! What is acted upon, and the patterns that statements write for it.

use std::borrow::Cow;
use std::fmt;

use crate::domain::{AppId, Bucket, Region};

use super::findings::{Flaw, Unusable, quoted};
use super::glob;

/// How resources are written, for hints.
pub(super) const SPELLING: &str = "write `*`, or six parts as in `qcs::ci:REGION:uid/APPID:bucket/NAME-APPID/*`";

pub(super) const ROOT: &str = "bucket/";

/// The APPID of the bucket that is asked about.
pub(super) const APP_ID: &str = "${app_id}";
/// CAM's variables for its own sub-accounts, which our callers are not.
const UNKNOWN_VARIABLES: [&str; 2] = ["${uin}", "${owner_uin}"];

/// The bucket that a request is about, as policies see it.
///
/// CAM checks `ci:DescribeAsrBuckets` and its like against `*` only, because they list buckets. Here a
/// describe is always about one bucket, so it is matched with that bucket like every other action.
#[derive(Clone, Debug)]
pub struct Resource<'a> {
    bucket: &'a Bucket,
    region: &'a Region,
    /// `bucket/<name>/`
    path: String,
}

impl<'a> Resource<'a> {
    /// All of `bucket`, which lies in `region`.
    #[must_use]
    pub fn bucket(bucket: &'a Bucket, region: &'a Region) -> Self {
        Self { bucket, region, path: path_of(bucket) }
    }

    pub(super) fn parts(&self) -> (&'a Bucket, &'a Region) {
        (self.bucket, self.region)
    }
}

/// The path in resources that is all of `bucket`: `bucket/<name>/`.
pub(super) fn path_of(bucket: &Bucket) -> String {
    [ROOT, bucket.as_str(), "/"].concat()
}

impl fmt::Display for Resource<'_> {
    /// The name in CAM's six parts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "qcs::ci:{}:uid/{}:{}*", self.region, self.bucket.app_id(), self.path)
    }
}

/// The resources of a statement: `None` in a part stands for all.
///
/// INVARIANT: some bucket of some region can match; a pattern that none can is refused when it is read.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(super) struct Pattern {
    region: Option<Box<str>>,
    app_id: Option<Box<str>>,
    path: Option<Box<str>>,
}

/// All buckets of all regions.
pub(super) static ALL: Pattern = Pattern { region: None, app_id: None, path: None };

impl Pattern {
    /// Reads `*` or CAM's six parts, `qcs:<project>:<service>:<region>:<account>:<path>`.
    /// Source: <https://cloud.tencent.com/document/product/598/10606>.
    ///
    /// # Errors
    /// If a part cannot be evaluated here, or nothing can match. An allow that matches nothing is
    /// a nuisance, but a deny that matches nothing lets pass what someone meant to stop.
    pub(super) fn parse(text: &str) -> Result<Self, Unusable> {
        if text == "*" {
            return Ok(Self::default());
        }
        let mut parts = text.splitn(6, ':');
        let mut part = || parts.next();
        let (Some("qcs"), Some(project), Some(service), Some(region), Some(account), Some(path)) =
            (part(), part(), part(), part(), part(), part())
        else {
            return Err(Unusable::Wrong(Flaw::new(format!("{} is no resource", quoted(text)), SPELLING)));
        };
        if !project.is_empty() {
            let what = format!("the resource {} names the project {}", quoted(text), quoted(project));
            let hint = "leave the second part empty, as in `qcs::ci:…`: CAM has no projects any more";
            return Err(Unusable::Unclear(Flaw::new(what, hint)));
        }
        if service.eq_ignore_ascii_case("ci") && service != "ci" {
            let what = format!(
                "whether the service {} of the resource {} is `ci` is not known",
                quoted(service),
                quoted(text)
            );
            return Err(Unusable::Unclear(Flaw::new(what, "write `ci`, as in `qcs::ci:…`")));
        }
        if !service.is_empty() && !glob::fits(service, "ci") {
            let why = format!("its service is {}", quoted(service));
            return Err(Unusable::Foreign(never(text, why, "write `ci`, as in `qcs::ci:…`").into_flaw()));
        }
        if let Some(variable) = UNKNOWN_VARIABLES.iter().find(|variable| text.contains(**variable)) {
            let what = format!("the variable `{variable}` of the resource {} is not known here", quoted(text));
            return Err(Unusable::Unclear(Flaw::new(
                what,
                "write the account out as `uid/<APPID>`, or leave it empty",
            )));
        }
        let pattern =
            Self { region: a_region(text, region)?, app_id: an_account(text, account)?, path: a_path(text, path)? };
        pattern.agrees_with_itself(text)
    }

    /// Whether the statement's resource takes in this one.
    ///
    /// The path is tried with and without its last slash: a deny for `bucket/<name>`, written without `/*`,
    /// must not deny less than its author thought.
    pub(super) fn matches(&self, resource: &Resource<'_>) -> bool {
        self.matches_region(resource.region) && self.matches_bucket(resource.bucket, &resource.path)
    }

    /// Whether it takes in the region, as far as that alone is concerned.
    pub(super) fn matches_region(&self, region: &Region) -> bool {
        self.region.as_deref().is_none_or(|part| glob::fits(part, region.as_str()))
    }

    /// Whether it takes in the bucket, whose [`path_of`] is `full`, if it lies in the right region.
    pub(super) fn matches_bucket(&self, bucket: &Bucket, full: &str) -> bool {
        let bare = full.strip_suffix('/').unwrap_or(full);
        self.app_id.as_deref().is_none_or(|part| glob::fits(part, bucket.app_id().as_str()))
            && self.path.as_deref().is_none_or(|path| {
                let path = with_app_id(path, bucket);
                glob::fits(&path, full) || glob::fits(&path, bare)
            })
    }

    /// Whether every bucket that `other` takes in is taken in here too; `false` where that cannot be seen from the
    /// patterns alone.
    pub(super) fn covers(&self, other: &Self) -> bool {
        // A star of theirs fits a star of ours alone, so it may stand for anything.
        let covers = |ours: &Option<Box<str>>, theirs: &Option<Box<str>>| {
            ours.as_deref().is_none_or(|ours| theirs.as_deref().is_some_and(|theirs| glob::fits(ours, theirs)))
        };
        let written = other.path.as_deref().unwrap_or("bucket/*");
        // So may a variable, which is no text that a pattern of ours could fit.
        let path = &*written.replace(APP_ID, "*");
        let bare = essential(path);
        let spellings = [path, bare, &format!("{bare}/")];
        let covers_path = |ours: &str| ours == written || spellings.iter().any(|theirs| glob::fits(ours, theirs));
        covers(&self.region, &other.region)
            && covers(&self.app_id, &other.app_id)
            && self.path.as_deref().is_none_or(covers_path)
    }

    /// The region as it is written; `None` for all.
    pub(super) fn region(&self) -> Option<&str> {
        self.region.as_deref()
    }

    /// The account as it is written; `None` for all.
    pub(super) fn app_id(&self) -> Option<&str> {
        self.app_id.as_deref()
    }

    /// The path as it is written; `None` for all.
    pub(super) fn path(&self) -> Option<&str> {
        self.path.as_deref()
    }

    /// The bucket that is meant, if it is only one.
    pub(super) fn one_bucket(&self) -> Option<&str> {
        let alone = self.app_id.as_deref().is_none_or(|app_id| !app_id.contains('*'));
        let name = self.path.as_deref().and_then(named_bucket);
        // `bucket/a-1` is that bucket alone, with or without what follows its slash.
        name.filter(|name| alone && !name.contains('$'))
    }

    /// The region and the bucket, as far as they are written out.
    pub(super) fn named(&self) -> impl Iterator<Item = &str> {
        let bucket = self.path.as_deref().and_then(named_bucket);
        self.region.as_deref().into_iter().chain(bucket).filter(|name| !name.contains(['*', '$']))
    }

    /// Whether some bucket may match both; `false` only if none can.
    pub(super) fn may_meet(&self, other: &Self) -> bool {
        let meet = |ours: &Option<Box<str>>, theirs: &Option<Box<str>>| {
            ours.as_deref().zip(theirs.as_deref()).is_none_or(|(ours, theirs)| glob::meet(ours, theirs))
        };
        // Of paths only the beginnings: their ends are matched in more than one way.
        let (ours, theirs) = (begins(self.path()), begins(other.path()));
        meet(&self.region, &other.region)
            && meet(&self.app_id, &other.app_id)
            && (ours.starts_with(theirs) || theirs.starts_with(ours))
    }

    /// Refuses an account that is not the one in the bucket's own name.
    fn agrees_with_itself(self, text: &str) -> Result<Self, Unusable> {
        let bucket = self.path.as_deref().and_then(named_bucket).and_then(|name| name.parse::<Bucket>().ok());
        match (&self.app_id, bucket) {
            (Some(account), Some(bucket)) if !glob::fits(account, bucket.app_id().as_str()) => {
                let why = format!("`{bucket}` does not belong to `uid/{account}`");
                Err(never(text, why, &format!("write `uid/{}`, or leave the account empty", bucket.app_id())))
            }
            (Some(_) | None, Some(_) | None) => Ok(self),
        }
    }
}

impl fmt::Display for Pattern {
    /// `*`, or CAM's six parts.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { region, app_id, path } = self;
        if region.is_none() && app_id.is_none() && path.is_none() {
            return f.write_str("*");
        }
        write!(f, "qcs::ci:{}:", region.as_deref().unwrap_or_default())?;
        if let Some(app_id) = app_id {
            write!(f, "uid/{app_id}")?;
        }
        write!(f, ":{}", path.as_deref().unwrap_or("*"))
    }
}

/// A path up to what can vary in it.
fn begins(path: Option<&str>) -> &str {
    let path = path.and_then(|path| path.split(['*', '$']).next()).unwrap_or_default();
    // The slash at the end may be left out.
    path.strip_suffix('/').unwrap_or(path)
}

/// The path with [`APP_ID`] replaced, which copies nothing where it does not stand.
fn with_app_id<'p>(path: &'p str, bucket: &Bucket) -> Cow<'p, str> {
    if path.contains('$') { path.replace(APP_ID, bucket.app_id().as_str()).into() } else { path.into() }
}

/// What is left of a path without an end that means nothing: a bucket is matched with and without its last slash.
fn essential(path: &str) -> &str {
    let shorter = path.strip_suffix("/*").or_else(|| path.strip_suffix('/'));
    // In `bucket/*` the star stands for the name.
    shorter.filter(|shorter| shorter.contains('/')).unwrap_or(path)
}

fn never(text: &str, why: String, hint: &str) -> Unusable {
    Unusable::Never(Flaw::new(format!("the resource {} can never match: {why}", quoted(text)), hint))
}

fn a_region(text: &str, region: &str) -> Result<Option<Box<str>>, Unusable> {
    if region.is_empty() || region == "*" {
        return Ok(None);
    }
    let possible = if region.contains('*') { region.bytes().all(in_names) } else { region.parse::<Region>().is_ok() };
    if possible {
        return Ok(Some(region.into()));
    }
    let hint = "a region is written like `ap-chongqing`; leave it empty for all";
    Err(never(text, format!("no region is called {}", quoted(region)), hint))
}

fn an_account(text: &str, account: &str) -> Result<Option<Box<str>>, Unusable> {
    const HINT: &str =
        "write `uid/<APPID>`, the number at the end of the bucket's name, or leave the account empty for all";
    if account.is_empty() || account == "*" {
        return Ok(None);
    }
    if account.starts_with("uin/") {
        let what = format!("the account {} of the resource {} cannot be evaluated here", quoted(account), quoted(text));
        return Err(Unusable::Unclear(Flaw::new(what, HINT)));
    }
    match account.strip_prefix("uid/") {
        Some(APP_ID) => Ok(None),
        Some(app_id) if app_id.bytes().all(|b| b == b'*') && !app_id.is_empty() => Ok(None),
        Some(app_id) if app_id.replace('*', "0").parse::<AppId>().is_ok() => Ok(Some(app_id.into())),
        Some(_) | None => Err(never(text, format!("no account is called {}", quoted(account)), HINT)),
    }
}

/// A path is judged as if every variable were a `*`, and kept as it is.
fn a_path(text: &str, written: &str) -> Result<Option<Box<str>>, Unusable> {
    const HINT: &str = "write `bucket/NAME-APPID/*`, or `bucket/*` for all";
    let path = &*written.replace(APP_ID, "*");
    if written == "*" {
        return Ok(None);
    }
    let (literal, _) = path.split_once('*').unwrap_or((path, ""));
    let in_bucket =
        literal.starts_with(ROOT) || (path.contains('*') && ROOT.starts_with(literal) && !written.starts_with(APP_ID));
    // What is asked about is `bucket/<name>/`, so nothing but `*` can match after a second slash.
    let whole_bucket = path.splitn(3, '/').nth(2).is_none_or(|rest| rest.bytes().all(|b| b == b'*'));
    if !in_bucket {
        return Err(never(text, format!("{} is not below `bucket/`", quoted(path)), HINT));
    }
    if !whole_bucket {
        return Err(never(
            text,
            format!("{} is a part of a bucket, and actions are about all of it", quoted(path)),
            HINT,
        ));
    }
    if let Some(name) = named_bucket(path) {
        name.parse::<Bucket>()
            .map_err(|why| never(text, format!("{} is no bucket's full name", quoted(name)), &why.to_string()))?;
    }
    if !path.bytes().all(|b| in_names(b) || b == b'/') {
        return Err(never(text, format!("no bucket's name fits {}", quoted(path)), HINT));
    }
    Ok(Some(written.into()))
}

/// The bucket's name in a path, if it is written out.
fn named_bucket(path: &str) -> Option<&str> {
    let name = path.strip_prefix(ROOT)?.split('/').next()?;
    (!name.contains('*')).then_some(name)
}

/// The bytes that names of regions and buckets are made of, and the star.
fn in_names(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, bucket: &str, region: &str) -> bool {
        let (bucket, region) = (bucket.parse().unwrap(), region.parse().unwrap());
        Pattern::parse(pattern).unwrap().matches(&Resource::bucket(&bucket, &region))
    }

    #[test]
    fn a_resource_prints_in_six_parts_and_that_name_matches_it() {
        let (bucket, region) = ("test-1234567890".parse().unwrap(), "ap-chongqing".parse().unwrap());
        let resource = Resource::bucket(&bucket, &region);
        assert_eq!(resource.to_string(), "qcs::ci:ap-chongqing:uid/1234567890:bucket/test-1234567890/*");
        assert!(Pattern::parse(&resource.to_string()).unwrap().matches(&resource));
    }

    #[test]
    fn empty_parts_and_stars_stand_for_all() {
        for pattern in [
            "*",
            "qcs:::::*",
            "qcs::ci:::bucket/*",
            "qcs::*:*:*:bucket/test-1234567890/*",
            "qcs::c*:ap-*:uid/*:*",
            "qcs::ci:*chong*:uid/12345*:bucket/test-*",
            "qcs::ci::uid/1234567890:b*",
            "qcs::ci:::*/test-*/*",
            "qcs::ci:::bucket/*/*",
        ] {
            assert!(matches(pattern, "test-1234567890", "ap-chongqing"), "{pattern}");
        }
    }

    #[test]
    fn a_bucket_matches_with_and_without_the_slash_and_the_star() {
        for pattern in
            ["bucket/test-1234567890/*", "bucket/test-1234567890/", "bucket/test-1234567890", "bucket/test-1*"]
        {
            assert!(matches(&format!("qcs::ci:::{pattern}"), "test-1234567890", "ap-chongqing"), "{pattern}");
        }
    }

    #[test]
    fn a_neighbour_does_not_match() {
        for (pattern, bucket, region) in [
            ("qcs::ci:::bucket/test-1/*", "test-12", "ap-chongqing"),
            ("qcs::ci:::bucket/test-1", "test-12", "ap-chongqing"),
            ("qcs::ci:::bucket/test-1/*", "a-test-1", "ap-chongqing"),
            ("qcs::ci:ap-chongqing::*", "test-1", "ap-beijing"),
            ("qcs::ci:ap-beijing::*", "test-1", "ap-beijing-1"),
            ("qcs::ci::uid/1:*", "test-12", "ap-beijing"),
        ] {
            assert!(!matches(pattern, bucket, region), "{pattern} {bucket} {region}");
        }
    }

    #[test]
    fn what_could_never_match_is_refused() {
        for pattern in [
            "",
            "**",
            "bucket/test-1/*",
            "qcs::ci:ap-chongqing:uid/1",
            "QCS::ci:::bucket/*",
            "qcs:0:ci:::bucket/*",
            "qcs:*:ci:::bucket/*",
            "qcs::cos:::bucket/*",
            "qcs::ci:ap_chongqing::bucket/*",
            "qcs::ci:AP-*::bucket/*",
            "qcs::ci::uin/100000000001:bucket/*",
            "qcs::ci::uid/:bucket/*",
            "qcs::ci::uid/${uin}:bucket/*",
            "qcs::ci:::bucket/a-${owner_uin}/*",
            "qcs::ci::1234567890:bucket/*",
            "qcs::ci:::",
            "qcs::ci:::bucket",
            "qcs::ci:::bucket/",
            "qcs::ci:::test-1/*",
            "qcs::ci:::Bucket/*",
            "qcs::ci:::bucket/test/*",
            "qcs::ci:::bucket/Test-*",
            "qcs::ci:::bucket/test-1/job/*",
            "qcs::ci:::bucket/test-1/*/*",
            "qcs::ci:::bucket/a:b-1/*",
            "qcs::ci::uid/2:bucket/test-1/*",
        ] {
            assert!(Pattern::parse(pattern).is_err(), "{pattern}");
        }
    }

    #[test]
    fn a_wider_resource_covers_a_narrower_one_and_not_the_other_way_round() {
        let pattern = |text: &str| Pattern::parse(text).unwrap();
        for (wide, narrow) in [
            ("*", "qcs::ci:ap-beijing:uid/1:bucket/a-1/*"),
            ("qcs::ci:::bucket/*", "qcs::ci:::bucket/a-1/*"),
            ("qcs::ci:::bucket/a-*", "qcs::ci:::bucket/a-1"),
            ("qcs::ci:::bucket/a-*/*", "qcs::ci:ap-beijing::bucket/a-*-1/*"),
            ("qcs::ci:ap-*::*", "qcs::ci:ap-beijing::bucket/a-1/*"),
            ("qcs::ci::uid/1*:*", "qcs::ci::uid/12:bucket/*"),
            ("qcs::ci:::bucket/*", "qcs::ci:::bucket/a-${app_id}/*"),
        ] {
            assert!(pattern(wide).covers(&pattern(narrow)), "{wide} {narrow}");
            assert!(!pattern(narrow).covers(&pattern(wide)), "{narrow} {wide}");
        }
    }

    #[test]
    fn the_letters_of_a_variable_are_no_letters_of_a_bucket() {
        let pattern = |path: &str| Pattern::parse(&format!("qcs::ci:::bucket/{path}")).unwrap();
        assert!(!pattern("*a*").covers(&pattern("*-${app_id}")));
        assert!(pattern("*").covers(&pattern("*-${app_id}")));
        assert!(pattern("x-${app_id}").covers(&pattern("x-${app_id}")));
    }

    #[test]
    fn the_ways_to_write_a_whole_bucket_cover_each_other() {
        for spellings in [
            &["qcs::ci:::bucket/a-1", "qcs::ci:::bucket/a-1/", "qcs::ci:::bucket/a-1/*"][..],
            &["*", "qcs:::::*", "qcs::ci:::bucket/*", "qcs::ci:*:uid/*:bucket/*/*"][..],
        ] {
            for (ours, theirs) in spellings.iter().flat_map(|ours| spellings.iter().map(move |theirs| (ours, theirs))) {
                assert!(Pattern::parse(ours).unwrap().covers(&Pattern::parse(theirs).unwrap()), "{ours} {theirs}");
            }
        }
    }

    proptest! {
        #[test]
        fn what_a_resource_covers_it_matches_too(
            ours in "bucket/[a*]{1,3}(-[1*])?(/|/\\*)?", theirs in "(b|bucket/)[a*]{1,3}(-(1|\\*|\\$\\{app_id\\}))?(/|/\\*)?",
            bucket in "[ab]{1,3}-[12]",
        ) {
            let parsed = |path: &str| Pattern::parse(&format!("qcs::ci:::{path}")).ok();
            if let Some((ours, theirs)) = parsed(&ours).zip(parsed(&theirs)) {
                let (bucket, region): (Bucket, Region) = (bucket.parse().unwrap(), "a".parse().unwrap());
                let resource = Resource::bucket(&bucket, &region);
                prop_assert!(!ours.covers(&theirs) || !theirs.matches(&resource) || ours.matches(&resource));
            }
        }

        #[test]
        fn whatever_is_refused_as_impossible_does_not_fit_textually(
            path in "(bucket/|b|\\*)?[a-b1*/-]{0,8}", bucket in "[ab]{1,2}-1", region in "a"
        ) {
            let (bucket, region): (Bucket, Region) = (bucket.parse().unwrap(), region.parse().unwrap());
            if Pattern::parse(&format!("qcs::ci:::{path}")).is_err() {
                let full = format!("bucket/{bucket}/");
                prop_assert!(!glob::fits(&path, &full) && !glob::fits(&path, full.trim_end_matches('/')), "{}", region);
            }
        }
    }
}
