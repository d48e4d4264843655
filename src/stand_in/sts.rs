//! The Security Token Service, version 2018-08-13: three of its calls, and its way of saying no.
//!
//! Source: <https://www.tencentcloud.com/document/product/1150/49452> and the lists of codes in Tencent's SDKs. Every answer
//! has status 200. Where the pair of situation and code is not documented, it is our nearest guess.

use std::time::Duration;

use hyper::{Method, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use uuid::Uuid;

use super::key_service::{Asked, Body, KeyServiceSettings, Said};
use super::keys::KnownKey;
use super::sessions::{Session, Sessions};
use super::tc3::{self, header};

const VERSION: &str = "2018-08-13";
/// What stands in the place of a signature where none is wanted.
const UNSIGNED: &str = "SKIP";
const DEFAULT_SECONDS: u64 = 7200;
const MOST_SECONDS: u64 = 43_200;
/// The account that every role and key here belongs to.
const ACCOUNT: &str = "100000000001";

/// Why a question is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Method,
    Version,
    Action,
    NoRegion,
    Body,
    // The signature.
    NoSignature,
    Malformed,
    Scope,
    Expired,
    UnknownKey,
    Signature,
    Token,
    // The call.
    Role,
    NoSuchRole,
    SessionName,
    Duration,
    WebIdentityToken,
    Chance,
}

impl Refusal {
    fn code(self) -> &'static str {
        match self {
            Self::Method => "UnsupportedOperation",
            Self::Version => "NoSuchVersion",
            Self::Action => "InvalidAction",
            Self::NoRegion => "MissingParameter",
            Self::Body | Self::Role | Self::SessionName => "InvalidParameter.ParamError",
            Self::NoSignature | Self::Malformed => "AuthFailure.InvalidAuthorization",
            Self::Scope | Self::Signature => "AuthFailure.SignatureFailure",
            Self::Expired => "AuthFailure.SignatureExpire",
            Self::UnknownKey => "AuthFailure.SecretIdNotFound",
            Self::Token => "AuthFailure.TokenFailure",
            Self::NoSuchRole => "ResourceNotFound.RoleNotFound",
            Self::Duration => "InvalidParameter.OverTimeError",
            Self::WebIdentityToken => "InvalidParameter.WebIdentityTokenError",
            Self::Chance => "InternalError.SystemError",
        }
    }

    fn message(self) -> &'static str {
        match self {
            Self::Method => "Only POST on / is known here.",
            Self::Version => "X-TC-Version is not 2018-08-13.",
            Self::Action => "The call is not known here.",
            Self::NoRegion => "X-TC-Region is missing.",
            Self::Body => "The body is not the JSON of this call.",
            Self::NoSignature => "Authorization is missing, or not SKIP where nothing is signed.",
            Self::Malformed => "Authorization is not of the form of TC3-HMAC-SHA256.",
            Self::Scope => "The scope is not that of this service on the day of X-TC-Timestamp.",
            Self::Expired => "X-TC-Timestamp is over five minutes off.",
            Self::UnknownKey => "The SecretId is not known.",
            Self::Signature => "The signature is not the one of this key over this request.",
            Self::Token => "The token is not the one of this key, or over.",
            Self::Role => "RoleArn is not written qcs::cam::uin/<uin>:roleName/<name>.",
            Self::NoSuchRole => "There is no such role.",
            Self::SessionName => "RoleSessionName is not 2 to 128 of letters, digits and _+=,.@-.",
            Self::Duration => "DurationSeconds is over 43200, or 0.",
            Self::WebIdentityToken => "The token of the pod is not taken.",
            Self::Chance => "The system has no source of chance.",
        }
    }

    /// Whether the question was signed rightly before it was refused.
    fn is_behind_the_signature(self) -> bool {
        match self {
            Self::Body
            | Self::Role
            | Self::NoSuchRole
            | Self::SessionName
            | Self::Duration
            | Self::WebIdentityToken
            | Self::Chance => true,
            Self::Method
            | Self::Version
            | Self::Action
            | Self::NoRegion
            | Self::NoSignature
            | Self::Malformed
            | Self::Scope
            | Self::Expired
            | Self::UnknownKey
            | Self::Signature
            | Self::Token => false,
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct AssumeRole {
    role_arn: String,
    role_session_name: String,
    duration_seconds: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct WebIdentity {
    provider_id: String,
    web_identity_token: String,
    #[serde(flatten)]
    role: AssumeRole,
}

pub(super) fn answer(asked: Asked<'_>, settings: &KeyServiceSettings, sessions: &Sessions) -> Said {
    let request_id = Uuid::now_v7().to_string();
    match call(asked, settings, sessions) {
        Ok(mut value) => {
            if let Some(members) = value.as_object_mut() {
                members.insert("RequestId".to_owned(), request_id.into());
            }
            said(json!({ "Response": value }), None, true)
        }
        Err(why) => {
            let error = json!({"Code": why.code(), "Message": why.message()});
            let value = json!({"Response": {"Error": error, "RequestId": request_id}});
            said(value, Some(why.code()), why.is_behind_the_signature())
        }
    }
}

fn said(value: Value, code: Option<&'static str>, verified: bool) -> Said {
    Said { status: StatusCode::OK, body: Body::Json(value), code, verified }
}

fn call(asked: Asked<'_>, settings: &KeyServiceSettings, sessions: &Sessions) -> Result<Value, Refusal> {
    if asked.head.method != Method::POST || asked.head.uri.path() != "/" || asked.head.uri.query().is_some() {
        return Err(Refusal::Method);
    }
    if header(asked.head, "x-tc-version") != Some(VERSION) {
        return Err(Refusal::Version);
    }
    header(asked.head, "x-tc-region").filter(|region| !region.is_empty()).ok_or(Refusal::NoRegion)?;
    let body = asked.body.ok_or(Refusal::Body)?;
    match header(asked.head, "x-tc-action").ok_or(Refusal::Action)? {
        "AssumeRole" => {
            tc3::verify(asked.head, body, asked.keys, asked.now)?;
            given(&read(body)?, asked, sessions)
        }
        "AssumeRoleWithWebIdentity" => {
            unsigned(asked)?;
            let asks: WebIdentity = read(body)?;
            let allowed = settings.web_identity_token.as_ref().is_none_or(|token| *token == asks.web_identity_token);
            if asks.web_identity_token.is_empty() || asks.provider_id.is_empty() || !allowed {
                return Err(Refusal::WebIdentityToken);
            }
            given(&asks.role, asked, sessions)
        }
        "GetCallerIdentity" => Ok(identity(tc3::verify(asked.head, body, asked.keys, asked.now)?)),
        _ => Err(Refusal::Action),
    }
}

fn unsigned(asked: Asked<'_>) -> Result<(), Refusal> {
    if header(asked.head, "authorization") == Some(UNSIGNED) { Ok(()) } else { Err(Refusal::NoSignature) }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|_| Refusal::Body)
}

fn given(role: &AssumeRole, asked: Asked<'_>, sessions: &Sessions) -> Result<Value, Refusal> {
    let name = role.role_arn.strip_prefix("qcs::cam::uin/").and_then(|rest| rest.split_once(":roleName/"));
    let (_, name) = name.filter(|(uin, name)| !uin.is_empty() && !name.is_empty()).ok_or(Refusal::Role)?;
    // As buckets whose name begins so do not exist.
    if name.starts_with("missing-") {
        return Err(Refusal::NoSuchRole);
    }
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    let session_name = &role.role_session_name;
    if !(2..=128).contains(&session_name.len()) || !session_name.bytes().all(fits) {
        return Err(Refusal::SessionName);
    }
    let seconds = role.duration_seconds.unwrap_or(DEFAULT_SECONDS);
    if !(1..=MOST_SECONDS).contains(&seconds) {
        return Err(Refusal::Duration);
    }
    let session = sessions.open(Duration::from_secs(seconds), asked.now).map_err(|_| Refusal::Chance)?;
    Ok(credentials(&session))
}

fn credentials(session: &Session) -> Value {
    json!({
        "Credentials": {
            "Token": session.token,
            "TmpSecretId": session.secret_id,
            "TmpSecretKey": session.secret_key,
        },
        "ExpiredTime": session.ends.as_second(),
        "Expiration": session.ends.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
    })
}

fn identity(key: &KnownKey) -> Value {
    json!({
        "Type": if key.is_temporary() { "CAMRole" } else { "CAMUser" },
        "AccountId": ACCOUNT,
        "UserId": ACCOUNT,
        "PrincipalId": ACCOUNT,
        "Arn": format!("qcs::cam::uin/{ACCOUNT}:uin/{ACCOUNT}"),
    })
}
