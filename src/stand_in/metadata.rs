//! The metadata service of a machine: its roles, and keys of each.
//!
//! Source: "Instance metadata", <https://www.tencentcloud.com/document/product/213/4934>. Whether upstream gives the same
//! keys again until they near their end is not documented; here each question makes new ones.

use std::time::Duration;

use hyper::{Method, StatusCode};
use serde_json::json;

use super::key_service::{Asked, Body, KeyServiceSettings, Said};
use super::sessions::Sessions;

/// What every path begins with.
pub(super) const ROOT: &str = "/latest/meta-data/";
const ROLES: &str = "/latest/meta-data/cam/security-credentials";
/// Upstream's own is not documented; the settings shorten it.
const LIFETIME: Duration = Duration::from_secs(6 * 3600);

pub(super) fn answer(asked: Asked<'_>, settings: &KeyServiceSettings, sessions: &Sessions) -> Said {
    if asked.head.method != Method::GET {
        return refused(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed");
    }
    let not_found = || refused(StatusCode::NOT_FOUND, "NotFound");
    match asked.head.uri.path().strip_prefix(ROLES) {
        Some("" | "/") if settings.roles.is_empty() => not_found(),
        Some("" | "/") => said(Body::Text(settings.roles.join("\n").into())),
        Some(path) => match path.strip_prefix('/') {
            Some(role) if settings.roles.iter().any(|known| known == role) => keys(asked, sessions),
            Some(_) | None => not_found(),
        },
        None => not_found(),
    }
}

fn keys(asked: Asked<'_>, sessions: &Sessions) -> Said {
    let Ok(session) = sessions.open(LIFETIME, asked.now) else {
        return refused(StatusCode::INTERNAL_SERVER_ERROR, "InternalError");
    };
    said(Body::Json(json!({
        "TmpSecretId": session.secret_id,
        "TmpSecretKey": session.secret_key,
        "ExpiredTime": session.ends.as_second(),
        "Expiration": session.ends.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
        "Token": session.token,
        "Code": "Success",
    })))
}

fn said(body: Body) -> Said {
    Said { status: StatusCode::OK, body, code: None, verified: true }
}

fn refused(status: StatusCode, code: &'static str) -> Said {
    Said {
        status,
        body: Body::Text(status.canonical_reason().unwrap_or_default().into()),
        code: Some(code),
        verified: true,
    }
}
