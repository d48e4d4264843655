//! The gateway itself cannot serve.

use super::Entry;

pub(super) const CREDENTIALS_UNAVAILABLE: Entry = Entry {
    title: "The gateway has no usable key",
    meaning: "The call is allowed, but the gateway holds no Tencent Cloud key that can sign it now. Nothing was sent to \
              Cloud Infinite.",
    causes: &[
        "Temporary keys have run out, and new ones could not be fetched.",
        "The key file was taken away, emptied, or made readable for others, which the gateway refuses.",
    ],
    what_to_do: &[
        "Wait for the seconds in `Retry-After`, then repeat the call.",
        "Operator: read the gateway's log for the last attempt to load keys; it names the file or the variable.",
        "Operator: put the keys right and restart or reload; the file has to be readable by the gateway's user alone.",
    ],
    usual_status: 503,
};

pub(super) const AUDIT_UNAVAILABLE: Entry = Entry {
    title: "The audit record cannot be written",
    meaning: "The call is allowed, but what cannot be recorded is not done. Nothing was sent to Cloud Infinite.",
    causes: &[
        "The disk of the audit file is full or was mounted read-only.",
        "The audit file or its directory was moved, or its permissions were changed.",
    ],
    what_to_do: &[
        "Wait for the seconds in `Retry-After`, then repeat the call.",
        "Operator: check free space, mount and permissions of the `file` under `[audit]`.",
        "Operator: do not delete audit records to make room; move them elsewhere first.",
    ],
    usual_status: 503,
};

pub(super) const OVERLOADED: Entry = Entry {
    title: "The gateway cannot serve this at the moment",
    meaning: "More calls or connections are in progress than the gateway allows itself, and it refuses at once rather \
              than make everybody wait; or, as `detail` then says, the keys of the token's issuer are not available, so \
              nobody can tell whether the token holds. Nothing was sent to Cloud Infinite.",
    causes: &[
        "Cloud Infinite is slow, so that calls pile up while they wait for it.",
        "Many callers came at the same moment, such as jobs that all start on the hour.",
        "A client opens a connection for each call and does not close it.",
        "The identity provider has been out of reach since the gateway started, or for longer than its keys may be used.",
    ],
    what_to_do: &[
        "Wait for the seconds in `Retry-After`, and a random moment more, then repeat the call.",
        "Keep one connection and use it again.",
        "Operator: if `detail` speaks of keys, read the gateway's log for the last attempt to fetch them, and look at \
         `jwks_url` and `jwks_max_age` under `[[auth.jwt]]`.",
        "Operator: look at calls in flight and the upstream's time in the metrics before raising `in_flight` under \
         `[limits]` or `max_connections` under `[server]`.",
    ],
    usual_status: 503,
};

pub(super) const DRAINING: Entry = Entry {
    title: "The gateway is about to stop",
    meaning: "This process takes no new calls and finishes those that it has. Nothing was sent to Cloud Infinite for \
              this one.",
    causes: &[
        "The gateway is being restarted, updated or moved.",
        "The load balancer still sends calls to a process that has reported itself as not ready.",
    ],
    what_to_do: &[
        "Repeat the call on a new connection; another process answers it.",
        "Operator: if this lasts, check that the load balancer asks `GET /healthz` or `/readyz`, and how often.",
    ],
    usual_status: 503,
};

pub(super) const INTERNAL: Entry = Entry {
    title: "The gateway has a bug",
    meaning: "Something happened that the gateway's makers thought impossible. This one call was given up; others go on. \
              `outcome` says whether anything may have reached Cloud Infinite.",
    causes: &["A mistake in the gateway's code: nothing in a request should be able to bring this about."],
    what_to_do: &[
        "With the outcome `unknown`, ask with GET whether the call took effect before you repeat it.",
        "Report the `request_id`, the time and what you called to the people who run the gateway.",
        "Operator: find the `request_id` in the gateway's log and report the bug with that line and the version.",
    ],
    usual_status: 500,
};
