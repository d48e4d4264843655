//! Cloud Infinite was asked, or could not be.

use super::Entry;

pub(super) const BUCKET_NOT_FOUND: Entry = Entry {
    title: "Cloud Infinite does not know the bucket",
    meaning: "The call reached Cloud Infinite, which says that there is no such bucket in this region. Nothing was \
              changed.",
    causes: &[
        "The bucket is in another region than the one that the call went to.",
        "The name or the APPID is mistyped.",
        "The bucket has been deleted, or does not exist yet.",
    ],
    what_to_do: &[
        "Look up the bucket's region in the console and send it as `region`.",
        "Operator: check the region of the bucket's entry under `[[ci.buckets]]` and the `default_region` under `[ci]`.",
    ],
    usual_status: 404,
};

pub(super) const DENIED: Entry = Entry {
    title: "Cloud Infinite refuses the gateway's key",
    meaning: "You were let through; it is the gateway itself that Cloud Infinite turned away, because of its key, its \
              signature or the rights of its account. Nothing was changed, and no change of your request will help.",
    causes: &[
        "`AccessDenied`: the sub-account of the gateway's key has no right in CAM to this action on this bucket, such as \
         `ci:CreateAsrBucket`; the list actions behind a GET have to be granted on the resource `*`.",
        "`InvalidAccessKeyId`: the key was deleted, disabled, or is of another account.",
        "`SignatureDoesNotMatch`: the secret key is not that of the secret id, or was copied with a blank or a line end.",
        "`RequestTimeTooSkewed` or an expired request: the clock of the gateway's machine is wrong.",
        "`ExpiredToken`: temporary keys have run out and were not renewed.",
    ],
    what_to_do: &[
        "Report it to the people who run the gateway with `request_id` and the `upstream` part of the answer.",
        "Operator: read `upstream.code` and find its line among the causes.",
        "Operator: open the CAM policy of the key's sub-account and grant the action that the gateway's log names.",
        "Operator: check the machine's clock against a time server.",
        "Operator: copy both keys again, without blanks around them, and restart or reload.",
        "Operator: give `upstream.request_id` to Tencent's support if all this is right.",
    ],
    usual_status: 502,
};

pub(super) const REJECTED: Entry = Entry {
    title: "Cloud Infinite refuses the request",
    meaning: "The key was accepted, and Cloud Infinite refused what was asked; `upstream.code` is its reason. Nothing \
              was changed. With status 409 it is about the bucket's state.",
    causes: &[
        "The service does not exist in the bucket's region.",
        "The bucket was unbound from Cloud Infinite by hand, or its account has unpaid bills.",
        "The service is already on, or already off, and Cloud Infinite says so with an error.",
        "Status 502: Cloud Infinite found fault with the request that the gateway made.",
    ],
    what_to_do: &[
        "Ask with GET whether the service is already as you want it.",
        "Look at the bucket in the console: its region, its binding to Cloud Infinite, the account's bills.",
        "Operator: with status 502, look up `upstream.code` in Tencent's list of error codes; it may be a bug of the \
         gateway.",
    ],
    usual_status: 502,
};

pub(super) const UNREADABLE: Entry = Entry {
    title: "Cloud Infinite's answer cannot be read",
    meaning: "An answer came that is not what Cloud Infinite documents, and the gateway passes on nothing that it has \
              not understood. The call may have taken effect: `outcome` says what is known.",
    causes: &[
        "A proxy, a firewall or a sign-in page between the gateway and Cloud Infinite answered in its place.",
        "The answer was cut off, empty, over 64 KiB, or held parts that are refused for safety, such as a DOCTYPE.",
        "`ci.endpoint` leads to something that is not Cloud Infinite.",
        "Tencent changed the form of the answer.",
    ],
    what_to_do: &[
        "Ask with GET whether the call took effect before you repeat it.",
        "Operator: find the `request_id` in the gateway's log, which says where the reading stopped.",
        "Operator: check `endpoint` under `[ci]` and any proxy on the way out.",
    ],
    usual_status: 502,
};

pub(super) const UNAVAILABLE: Entry = Entry {
    title: "Cloud Infinite is not available",
    meaning: "Cloud Infinite could not be reached, failed, or asked for fewer calls. `outcome` says whether anything was \
              sent; it may work later without a change.",
    causes: &[
        "Cloud Infinite has a disturbance in this region, or slows the account down.",
        "The gateway's machine has no way out: name look-up, firewall, TLS roots or proxy.",
        "The region does not exist, so that its host has no address.",
        "After repeated failures the gateway holds calls back for a moment so as not to add to them.",
    ],
    what_to_do: &[
        "Wait for the seconds in `Retry-After`, then repeat the call.",
        "With the outcome `unknown`, ask with GET first whether the call took effect.",
        "Operator: look at Tencent's status page for the region, then try the host by name from the gateway's machine.",
    ],
    usual_status: 503,
};

pub(super) const TIMEOUT: Entry = Entry {
    title: "Cloud Infinite did not answer in time",
    meaning: "The deadline passed while the gateway waited for Cloud Infinite. If the `outcome` is `unknown`, the call \
              was sent and may have taken effect; the gateway does not send a create twice on its own.",
    causes: &[
        "Cloud Infinite is slow in this region.",
        "Packets are lost on the way out, for instance in a firewall that drops instead of refusing.",
        "The gateway's deadlines are set too short.",
    ],
    what_to_do: &[
        "Ask with GET whether the service is on, and repeat the call only if it is not.",
        "Operator: compare the upstream's time in the metrics with `response_timeout` under `[ci]` and \
         `request_timeout` under `[server]`.",
    ],
    usual_status: 504,
};
