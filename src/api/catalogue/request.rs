//! The request itself is wrong: its sender can put it right.

use super::Entry;

pub(super) const INVALID_BUCKET: Entry = Entry {
    title: "The bucket name is not valid",
    meaning: "The path does not hold the full name of a bucket. Nothing was sent to Cloud Infinite.",
    causes: &[
        "The APPID is missing: the full name is `test-1234567890`, not `test`.",
        "The name has upper-case letters, dots, underscores or percent-encoded characters.",
        "The name is over 50 characters before its APPID.",
        "A variable was empty or was never filled in, so that the path holds `{bucket}` or `null`.",
    ],
    what_to_do: &[
        "Copy the name from the bucket list of the console, where it stands with its APPID.",
        "Print the address that your program really calls, and look between `/buckets/` and the next slash.",
    ],
    usual_status: 400,
};

pub(super) const INVALID_REGION: Entry = Entry {
    title: "The region is not valid",
    meaning: "The query parameter `region` is not written as a region. Nothing was sent to Cloud Infinite.",
    causes: &[
        "The region's display name was sent instead of its short name.",
        "The region has upper-case letters, dots, blanks or an availability zone in brackets.",
        "The parameter is there but empty.",
    ],
    what_to_do: &[
        "Send the short name that the bucket's overview shows, such as `ap-chongqing`.",
        "Leave `region` out where the gateway's configuration knows the bucket's region.",
    ],
    usual_status: 400,
};

pub(super) const REGION_REQUIRED: Entry = Entry {
    title: "The gateway does not know the bucket's region",
    meaning: "The request names no region and the configuration has none for this bucket. The gateway does not guess: \
              the wrong region would be another host. Nothing was sent to Cloud Infinite.",
    causes: &[
        "The request has no `region`, and the gateway was set up without a default.",
        "The bucket is new and has no entry in the gateway's configuration yet.",
    ],
    what_to_do: &[
        "Add the region to the address, as in `?region=ap-chongqing`.",
        "Operator: give the bucket an entry under `[[ci.buckets]]`, or set `default_region` under `[ci]`.",
    ],
    usual_status: 400,
};

pub(super) const INVALID_REQUEST: Entry = Entry {
    title: "The request is not one that the gateway takes",
    meaning: "The head, the query or the body breaks a rule of HTTP or of this API; `detail` says which. The gateway \
              refuses what it could read in two ways. Nothing was sent to Cloud Infinite.",
    causes: &[
        "A query parameter is unknown, stands twice or has a value that it cannot have.",
        "A POST or DELETE has a body other than `{}`, or a GET has a body.",
        "Status 415: the body is not sent as `application/json`, or it is compressed.",
        "Status 414 or 431: the address or the head is too long, often because of cookies.",
        "Status 408: the head or the body came too slowly, or a proxy held the connection open without a request.",
        "Status 417 or 501: an `Expect` or a transfer coding that the gateway does not know.",
        "Both `Authorization` and `X-Api-Key`: who asks is to be said in one way.",
        "Two `Host` or `Authorization` headers, `Content-Length` beside `Transfer-Encoding`, or a bare line feed: \
         usually a proxy or a hand-written client.",
    ],
    what_to_do: &[
        "Read `detail`: it names the rule.",
        "Compare with `GET /openapi.json`, which lists every parameter of every call.",
        "Try the same call with plain curl from the same machine: if that works, something on the way changes it.",
    ],
    usual_status: 400,
};

pub(super) const NOT_FOUND: Entry = Entry {
    title: "There is nothing at this path",
    meaning: "The gateway has no such path. Nothing was sent to Cloud Infinite; whether the bucket exists was not asked.",
    causes: &[
        "The service is misspelt: there are `smart-audio`, `media`, `documents`, `images`, `ai` and `files`.",
        "The path lacks `/v1`, ends in a slash, or has one slash too many.",
        "Metrics, readiness and version were asked of this port; they are on the admin listener.",
    ],
    what_to_do: &[
        "Compare the path with `GET /openapi.json`.",
        "If a proxy stands before the gateway, look whether it rewrites paths.",
    ],
    usual_status: 404,
};

pub(super) const METHOD_NOT_ALLOWED: Entry = Entry {
    title: "The path does not take this method",
    meaning: "The path exists, but not with this method; the header `Allow` lists those that it takes. Nothing was sent \
              to Cloud Infinite.",
    causes: &[
        "A service is switched on with POST, not with PUT or PATCH.",
        "A client followed a redirect of a proxy and turned its POST into a GET.",
        "A monitor sends HEAD or OPTIONS.",
    ],
    what_to_do: &["Use a method that stands in `Allow`.", "Let monitors send `GET /healthz`."],
    usual_status: 405,
};

pub(super) const BODY_TOO_LARGE: Entry = Entry {
    title: "The body is too large",
    meaning: "The body is over 4 KiB, and no call here needs one at all. It was not read to its end, and nothing was \
              sent to Cloud Infinite.",
    causes: &[
        "An audio file was sent: this call only switches the service on, files go to the bucket itself.",
        "A client library adds a body of its own.",
    ],
    what_to_do: &["Send no body, or `{}` if your client has to send one."],
    usual_status: 413,
};
