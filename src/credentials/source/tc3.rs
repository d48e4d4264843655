//! Tencent's signature for its API, TC3-HMAC-SHA256, as a value of stages. Pure.
//!
//! Source: "Signature v3", <https://www.tencentcloud.com/document/product/267/37447>, whose worked example is tested here.

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use crate::credentials::{Keys, SecretKey};

const ALGORITHM: &str = "TC3-HMAC-SHA256";
const SIGNED_HEADERS: &str = "content-type;host;x-tc-action";
/// The end of each scope and of each chain of keys.
const END: &str = "tc3_request";
/// The media type that is signed; the request has to carry just this.
pub(super) const CONTENT_TYPE: &str = "application/json; charset=utf-8";

/// A call by POST on `/` of a service's host.
#[derive(Clone, Copy, Debug)]
pub(super) struct Call<'a> {
    /// The service, as in `sts`.
    pub(super) service: &'a str,
    /// What stands in `Host`.
    pub(super) host: &'a str,
    /// What stands in `X-TC-Action`.
    pub(super) action: &'a str,
    /// The body, byte for byte.
    pub(super) body: &'a [u8],
    /// What stands in `X-TC-Timestamp`, in seconds.
    pub(super) at: Timestamp,
}

/// What is signed, stage by stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stages<'a> {
    service: &'a str,
    date: String,
    scope: String,
    canonical_request: String,
    string_to_sign: String,
}

impl<'a> Stages<'a> {
    /// The stages of `call`.
    pub(super) fn of(call: &Call<'a>) -> Self {
        let date = TimeZone::UTC.to_datetime(call.at).date().to_string();
        let scope = format!("{date}/{}/{END}", call.service);
        let canonical_request = format!(
            "POST\n/\n\ncontent-type:{CONTENT_TYPE}\nhost:{}\nx-tc-action:{}\n\n{SIGNED_HEADERS}\n{}",
            call.host,
            call.action.to_ascii_lowercase(),
            sha256_hex(call.body),
        );
        let hashed = sha256_hex(canonical_request.as_bytes());
        let string_to_sign = format!("{ALGORITHM}\n{}\n{scope}\n{hashed}", call.at.as_second());
        Self { service: call.service, date, scope, canonical_request, string_to_sign }
    }

    /// The value of `Authorization`.
    pub(super) fn authorization(&self, keys: &Keys) -> String {
        let (id, scope, signature) = (keys.secret_id(), &self.scope, self.signature(keys.secret_key()));
        format!("{ALGORITHM} Credential={id}/{scope}, SignedHeaders={SIGNED_HEADERS}, Signature={signature}")
    }

    fn signature(&self, secret: &SecretKey) -> String {
        let of_date = secret.keyed::<Hmac<Sha256>>("TC3", &self.date);
        let of_service = hmac_sha256(&of_date, self.service);
        let of_call = hmac_sha256(&of_service, END);
        hex::encode(&*hmac_sha256(&of_call, &self.string_to_sign))
    }
}

fn hmac_sha256(key: &[u8], message: &str) -> Zeroizing<Vec<u8>> {
    // HMAC takes a key of any length (RFC 2104 section 2), so there is no error to tell of.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return Zeroizing::default() };
    mac.update(message.as_bytes());
    Zeroizing::new(mac.finalize().into_bytes().to_vec())
}

fn sha256_hex(data: &[u8]) -> String {
    hex::encode(Sha256::digest(data))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The documentation's own call: the key is 32 asterisks, and the body has its escapes as they are written.
    fn documented() -> (Call<'static>, Keys) {
        let body = br#"{"Limit": 1, "Filters": [{"Values": ["\u672a\u547d\u540d"], "Name": "instance-name"}]}"#;
        let at = Timestamp::from_second(1_551_113_065).unwrap();
        let host = "cvm.tencentcloudapi.com";
        let stars = "*".repeat(32);
        let keys = Keys::new(&format!("AKID{stars}"), &stars, None).unwrap();
        (Call { service: "cvm", host, action: "DescribeInstances", body, at }, keys)
    }

    #[test]
    fn the_documented_example_is_signed_stage_by_stage() {
        let (call, keys) = documented();
        let stages = Stages::of(&call);
        assert_eq!(
            stages.canonical_request,
            "POST\n/\n\ncontent-type:application/json; charset=utf-8\nhost:cvm.tencentcloudapi.com\n\
             x-tc-action:describeinstances\n\ncontent-type;host;x-tc-action\n\
             35e9c5b0e3ae67532d3c9f17ead6c90222632e5b1ff7f6e89887f1398934f064"
        );
        assert_eq!(
            stages.string_to_sign,
            "TC3-HMAC-SHA256\n1551113065\n2019-02-25/cvm/tc3_request\n\
             7019a55be8395899b900fb5564e4200d984910f34794a27cb3fb7d10ff6a1e84"
        );
        let of_date = keys.secret_key().keyed::<Hmac<Sha256>>("TC3", "2019-02-25");
        assert_eq!(hex::encode(&*of_date), "da98fb70dcf6b112dc21038d1eeeb3a95c74b4dcb12c1131f864f6066bd02be0");
        assert_eq!(
            stages.authorization(&keys),
            format!(
                "TC3-HMAC-SHA256 Credential={}/2019-02-25/cvm/tc3_request, SignedHeaders=content-type;host;x-tc-action, \
                 Signature=10b1a37a7301a02ca19a647ad722d5e43b4b3cff309d421d85b46093f6ab6c4f",
                keys.secret_id()
            )
        );
    }

    #[test]
    fn whatever_changes_in_a_call_changes_its_signature() {
        let (call, keys) = documented();
        let signature = |call: Call<'_>| Stages::of(&call).signature(keys.secret_key());
        let signed = signature(call);
        let later = |seconds: i64| Timestamp::from_second(1_551_113_065 + seconds).unwrap();
        for changed in [
            Call { service: "sts", ..call },
            Call { host: "sts.tencentcloudapi.com", ..call },
            Call { action: "DescribeInstance", ..call },
            Call { body: b"{}", ..call },
            Call { at: later(1), ..call },
            Call { at: later(86_400), ..call },
        ] {
            assert_ne!(signature(changed), signed, "{changed:?}");
        }
        let other = Keys::new(keys.secret_id(), "another", None).unwrap();
        assert_ne!(Stages::of(&call).signature(other.secret_key()), signed);
    }
}
