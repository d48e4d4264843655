//! Who calls, what that caller may do, and how often.

use super::Entry;

pub(super) const UNAUTHENTICATED: Entry = Entry {
    title: "The request carries no credentials",
    meaning: "Every call under `/v1` needs to say who makes it, and this one does not. Nothing was sent to Cloud \
              Infinite.",
    causes: &[
        "The header `Authorization: Bearer …` is missing, or holds another scheme; and there is no `X-Api-Key`.",
        "The variable that should hold the token or the key is empty.",
        "A proxy or a redirect to another host took the header away.",
        "It was sent as a query parameter or in the body, where the gateway does not look.",
    ],
    what_to_do: &[
        "Send a token as `Authorization: Bearer …`, or an API key as `X-Api-Key: …`: one of them, once.",
        "Run the call with `curl -v` and look whether the header leaves your machine.",
    ],
    usual_status: 401,
};

pub(super) const INVALID_TOKEN: Entry = Entry {
    title: "The credentials do not hold",
    meaning: "A token, an API key or a certificate came, and one of its checks failed. The answer does not say which one, \
              so that it helps nobody to forge a better one. Nothing was sent to Cloud Infinite.",
    causes: &[
        "It has expired, or is not valid yet (`exp` and `nbf` of a token): often the clocks of two machines differ.",
        "The token's issuer (`iss`) or audience (`aud`) is not, letter by letter, one that the gateway accepts.",
        "The token was signed with another key, or with an algorithm that is not accepted from that issuer.",
        "The token is bound to a client certificate (`cnf`), and the connection has none or another.",
        "It was cut off or changed on the way, for instance by a line break from copying.",
        "The issuer has changed its keys, and the gateway still has the old ones.",
        "The API key is disabled, or is used from outside of its networks.",
        "The client certificate has not exactly one name of the kind that the gateway looks for.",
    ],
    what_to_do: &[
        "Get a fresh token and try once more.",
        "Give an API key to `ci-gateway key check`: it says whether the key was mistyped.",
        "Decode the token's middle part and compare `iss`, `aud` and `exp` with what you were told to use.",
        "Operator: find the `request_id` in the gateway's log, where `cause` is the reason, and compare with `[auth]`.",
        "Operator: check the machine's clock and that the key file is the issuer's present one.",
    ],
    usual_status: 401,
};

pub(super) const FORBIDDEN: Entry = Entry {
    title: "The policy does not allow this",
    meaning: "The gateway knows who you are, and its policy does not let you do this on this bucket. This is the \
              gateway's own decision: Cloud Infinite was not asked.",
    causes: &[
        "No statement allows it: whatever is not allowed is denied.",
        "The statement names another bucket, region or account than the one in the request.",
        "The statement names a group that your token does not carry.",
        "A statement denies it: a deny wins over every allow.",
        "A grant covers POST only: GET and DELETE are actions of their own.",
        "The token lacks a scope that the gateway asks for; `detail` and `WWW-Authenticate` name it.",
    ],
    what_to_do: &[
        "Ask the people who keep the policy for the action that `detail` names, on this bucket; quote the `request_id`.",
        "Try again without effect by adding `validate_only=true`.",
        "With a scope in `WWW-Authenticate`, ask the token's issuer for a token that carries it.",
        "Operator: look in the policy for the caller's name and groups as they stand in the gateway's log.",
    ],
    usual_status: 403,
};

pub(super) const ACCOUNT_NOT_CONFIGURED: Entry = Entry {
    title: "The gateway has no key for this bucket's account",
    meaning: "The policy allows the call, but the number at the end of the bucket's name is an account whose keys this \
              gateway does not hold. Nothing was sent to Cloud Infinite.",
    causes: &[
        "The APPID at the end of the bucket's name is mistyped.",
        "The bucket belongs to an account that another gateway serves, such as that of another stage.",
        "The account is new and has not been added to the gateway's configuration.",
    ],
    what_to_do: &[
        "Compare the APPID with the one that the console shows for the bucket.",
        "Check that you call the gateway of the right stage.",
        "Operator: list the account under `[credentials]` if the keys there belong to it.",
    ],
    usual_status: 403,
};

pub(super) const RATE_LIMITED: Entry = Entry {
    title: "You are calling too often",
    meaning: "You have made more calls than the gateway allows one caller in the time that `RateLimit-Policy` states, or \
              more credentials from your address did not hold. Nothing was sent to Cloud Infinite.",
    causes: &[
        "A loop repeats the call without a pause, often after an error that repeating cannot cure.",
        "Several programs share one identity and so one rate.",
        "A job for many buckets sends all its calls at once.",
        "`RateLimit-Policy` names `source`: somebody at your address sends bad tokens, perhaps a program of yours whose \
         token has expired.",
    ],
    what_to_do: &[
        "Wait for the seconds in `Retry-After`, then go on more slowly.",
        "Give each program an identity of its own.",
        "Operator: the rates are `per_caller` and `failed_authentications` under `[limits]`; where callers come through a \
         proxy, name it in `trusted_proxies`, so that they do not count as one address.",
    ],
    usual_status: 429,
};
