//! The configuration as the admin listener shows it: in the shape of the file, with every effective value.

use std::path::Path;

use serde_json::{Value, json};

use super::units::{show_duration, show_rate, show_size};
use super::values::OFF;
use super::{Ci, Config};
use crate::audit::{self, OnFailure, Sink};
use crate::auth::{IssuerSettings, KeySource, Profile};
use crate::credentials::{self, AssumeRoleSettings, BaseSettings, CvmRoleSettings, RoleArn, RoleName, SourceSettings};
use crate::domain::{AppId, Region};
use crate::server::TlsSettings;
use crate::telemetry::LogFormat;

/// There is no secret in a [`Config`], only the paths of files that hold them.
pub(super) fn config(config: &Config) -> Value {
    json!({
        "server": server(config),
        "admin": { "listen": config.admin.listen.to_string() },
        "auth": {
            "token_cache": config.auth.token_cache.entries,
            "token_cache_time": show_duration(config.auth.token_cache.time),
            "jwt": config.auth.issuers.iter().map(issuer).collect::<Vec<_>>(),
            "api_keys": config.api_keys.as_deref().map(|file| json!({ "file": path(file) })),
            "mtls": config.user_from.map(|part| json!({ "user_from": part.as_str() })),
        },
        "policy": {
            "file": path(&config.policy_file),
            "candidate": config.policy_candidate.as_deref().map(path),
        },
        "credentials": credentials(&config.credentials),
        "ci": ci(&config.ci),
        "audit": audit(&config.audit),
        "limits": {
            "in_flight": config.limits.in_flight,
            "per_caller": show_rate(config.limits.per_caller),
            "failed_authentications": show_rate(config.limits.failed_authentications),
        },
        "reload": { "interval": config.watch_interval.map_or_else(|| OFF.to_owned(), show_duration) },
        "telemetry": {
            "log_format": match config.log_format { LogFormat::Json => "json", LogFormat::Text => "text" },
        },
        "digest": config.digest,
        "set_by_environment": config.set_by_environment,
    })
}

fn server(config: &Config) -> Value {
    let (server, listener) = (&config.server, &config.server.listener);
    json!({
        "listen": server.listen.to_string(),
        "tls": listener.tls.as_ref().map(tls),
        "trusted_proxies": server.trusted_proxies.iter().map(ToString::to_string).collect::<Vec<_>>(),
        "max_connections": listener.max_connections,
        "header_read_timeout": show_duration(listener.header_read_timeout),
        "request_timeout": show_duration(server.request_timeout),
        "drain_delay": show_duration(server.drain_delay),
        "drain_timeout": show_duration(server.drain_timeout),
    })
}

fn tls(tls: &TlsSettings) -> Value {
    json!({
        "certificate": path(&tls.certificate),
        "private_key": path(&tls.private_key),
        "client_ca": tls.client_ca.as_deref().map(path),
        "client_crl": tls.client_crl.as_deref().map(path),
    })
}

fn issuer(issuer: &IssuerSettings) -> Value {
    let (jwks_file, secret_file, fetched) = match &issuer.keys {
        KeySource::Jwks(file) => (Some(path(file)), None, None),
        KeySource::Secret(file) => (None, Some(path(file)), None),
        KeySource::JwksUrl(fetched) => (None, None, Some(fetched)),
    };
    json!({
        "issuer": issuer.issuer,
        "audience": issuer.audiences,
        "algorithms": issuer.algorithms.iter().map(|algorithm| algorithm.as_str()).collect::<Vec<_>>(),
        "jwks_file": jwks_file,
        "secret_file": secret_file,
        "jwks_url": fetched.map(|fetched| fetched.url.to_string()),
        "jwks_ca_file": fetched.and_then(|fetched| fetched.ca_file.as_deref()).map(path),
        "jwks_refresh": fetched.map(|fetched| show_duration(fetched.refresh)),
        "jwks_max_age": fetched.map(|fetched| show_duration(fetched.max_age)),
        "user_claim": issuer.user_claim,
        "groups_claim": issuer.groups_claim,
        "leeway": show_duration(issuer.leeway),
        "prefix": issuer.prefix,
        "profile": match issuer.profile { Profile::Jwt => "jwt", Profile::Rfc9068 => "rfc9068" },
        "required_scope": issuer.required_scope,
    })
}

fn credentials(settings: &credentials::Settings) -> Value {
    let mut shown = settings.default.as_ref().map_or_else(|| json!({}), |default| source(&default.source));
    let default_app_ids = settings.default.iter().flat_map(|default| &default.app_ids);
    insert(&mut shown, "app_ids", default_app_ids.map(AppId::as_str).collect());
    let accounts = settings.accounts.iter().map(|account| {
        let mut shown = source(&account.source);
        insert(&mut shown, "app_id", account.app_id.as_str().into());
        shown
    });
    insert(&mut shown, "account", accounts.collect());
    shown
}

fn insert(shown: &mut Value, key: &str, value: Value) {
    if let Some(shown) = shown.as_object_mut() {
        shown.insert(key.to_owned(), value);
    }
}

/// Of a command the program alone: its arguments may be nobody else's business.
fn source(settings: &SourceSettings) -> Value {
    let word = settings.as_str();
    match settings {
        SourceSettings::Environment => json!({ "source": word }),
        SourceSettings::File(file) => {
            json!({ "source": word, "file": path(&file.path), "previous_file": file.previous.as_deref().map(path) })
        }
        SourceSettings::CvmRole(role) => with(cvm_role(role), json!({ "source": word })),
        SourceSettings::AssumeRole(role) => with(assume_role(role), json!({ "source": word })),
        SourceSettings::WebIdentity(role) => json!({
            "source": word,
            "sts_region": role.region.as_ref().map(Region::as_str),
            "provider_id": role.provider_id,
            "token_file": role.token_file.as_deref().map(path),
            "role_arn": role.role_arn.as_ref().map(RoleArn::as_str),
            "role_session_name": role.role_session_name.as_str(),
            "role_duration": show_duration(role.duration),
            "sts_endpoint": role.endpoint.as_ref().map(ToString::to_string),
        }),
        SourceSettings::Command(command) => json!({
            "source": word,
            "command": path(&command.program),
            "command_timeout": show_duration(command.time),
        }),
    }
}

fn cvm_role(role: &CvmRoleSettings) -> Value {
    json!({
        "role_name": role.role_name.as_ref().map(RoleName::as_str),
        "metadata_endpoint": role.endpoint.as_ref().map(ToString::to_string),
    })
}

/// Of `external_id` only whether it is set: whoever knows it is a step nearer to the role.
fn assume_role(role: &AssumeRoleSettings) -> Value {
    let base = match &role.base {
        BaseSettings::Environment => json!({ "base": "environment" }),
        BaseSettings::File(file) => json!({ "base": "file", "file": path(file) }),
        BaseSettings::CvmRole(role) => with(cvm_role(role), json!({ "base": "cvm_role" })),
    };
    let role = json!({
        "role_arn": role.role_arn.as_str(),
        "role_session_name": role.role_session_name.as_str(),
        "role_duration": show_duration(role.duration),
        "external_id": if role.external_id.is_some() { "set" } else { "not set" },
        "sts_region": role.region.as_str(),
        "sts_endpoint": role.endpoint.as_ref().map(ToString::to_string),
    });
    with(base, role)
}

/// The keys of both.
fn with(mut shown: Value, more: Value) -> Value {
    if let (Some(shown), Value::Object(more)) = (shown.as_object_mut(), more) {
        shown.extend(more);
    }
    shown
}

fn ci(ci: &Ci) -> Value {
    let mut buckets: Vec<_> = ci.buckets.iter().map(|(name, region)| (name.as_str(), region.as_str())).collect();
    // By name: the order of a hash map would change from look to look.
    buckets.sort_unstable();
    let buckets: Vec<Value> = buckets.iter().map(|(name, region)| json!({ "name": name, "region": region })).collect();
    json!({
        "default_region": ci.default_region.as_ref().map(ToString::to_string),
        "endpoint": ci.upstream.endpoint.as_ref().map(ToString::to_string),
        "signature_lifetime": show_duration(ci.signature_lifetime),
        "max_clock_correction": show_duration(ci.max_clock_correction),
        "connect_timeout": show_duration(ci.upstream.connect_timeout),
        "response_timeout": show_duration(ci.upstream.response_timeout),
        "buckets": buckets,
    })
}

fn audit(settings: &audit::Settings) -> Value {
    let sink = settings.sink.as_ref().map(|sink| match sink {
        Sink::File(_) => "file",
        Sink::Stdout => "stdout",
        Sink::Both(_) => "both",
    });
    json!({
        "file": settings.sink.as_ref().and_then(Sink::file).map(|file| path(file)),
        "sink": sink,
        "on_failure": match settings.on_failure { OnFailure::Refuse => "refuse", OnFailure::Serve => "serve" },
        "name": settings.name.as_str(),
        "durability": if settings.sync { "sync" } else { "os" },
        "reserve": show_size(settings.reserve),
        "checkpoint_records": settings.checkpoints.records,
        "checkpoint_interval": show_duration(settings.checkpoints.interval),
        "checkpoint_key_file": settings.checkpoints.key_file.as_deref().map(path),
        "checkpoint_file": settings.checkpoints.file.as_deref().map(path),
    })
}

fn path(path: &Path) -> String {
    path.display().to_string()
}
