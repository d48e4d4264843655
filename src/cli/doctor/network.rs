//! Whether the names of Cloud Infinite's hosts lead somewhere, and who answers there.

use std::collections::BTreeSet;
use std::sync::Arc;

use http::Uri;
use http::uri::Scheme;
use tokio::net::lookup_host;

use super::finding::{Finding, Section};
use super::look::Look;
use crate::ci::region_host;
use crate::config::Config;

const HTTPS: u16 = 443;
const HTTP: u16 = 80;

/// The sections `dns` and `tls`: the endpoint if there is one, else the host of each region.
pub(super) fn looks(config: &Arc<Config>) -> Vec<Look> {
    let look = |target: Uri| {
        let (config, at) = (Arc::clone(config), target.authority().map(ToString::to_string).unwrap_or_default());
        Look::begin(Section::Tls, at, async move { look(&config, &target).await })
    };
    targets(config).into_iter().map(look).collect()
}

/// Without an address there is nobody to talk to.
async fn look(config: &Config, target: &Uri) -> Vec<Finding> {
    match name(target).await {
        Ok(found) => vec![found, dialled(config, target).await],
        Err(problem) => vec![problem],
    }
}

fn targets(config: &Config) -> Vec<Uri> {
    let uri = |scheme: Scheme, authority: &str| {
        Uri::builder().scheme(scheme).authority(authority).path_and_query("/").build().ok()
    };
    if let Some(endpoint) = &config.ci.upstream.endpoint {
        return uri(endpoint.scheme().clone(), endpoint.authority().as_str()).into_iter().collect();
    }
    let regions = config.ci.default_region.iter().chain(config.ci.buckets.values());
    let hosts: BTreeSet<String> = regions.map(region_host).collect();
    hosts.iter().filter_map(|host| uri(Scheme::HTTPS, host)).collect()
}

async fn name(target: &Uri) -> Result<Finding, Finding> {
    let host = target.host().unwrap_or_default().trim_matches(['[', ']']);
    let port = target.port_u16().unwrap_or(if target.scheme() == Some(&Scheme::HTTP) { HTTP } else { HTTPS });
    let hint = "look at /etc/resolv.conf, and whether this network resolves names of the Internet";
    match lookup_host((host, port)).await {
        Ok(addresses) => {
            let addresses: BTreeSet<String> = addresses.map(|address| address.ip().to_string()).collect();
            let addresses: Vec<String> = addresses.into_iter().collect();
            Ok(Finding::ok(Section::Dns, format!("{host}: {}", addresses.join(", "))))
        }
        Err(why) => Err(Finding::problem(Section::Dns, format!("{host} has no address: {why}"), hint)),
    }
}

async fn dialled(config: &Config, target: &Uri) -> Finding {
    let connector = match config.ci.upstream.connector() {
        Ok(connector) => connector,
        Err(mistake) => return Finding::mistake(Section::Tls, &mistake),
    };
    let at = target.authority().map_or("", |authority| authority.as_str());
    match connector.dial(target.clone()).await {
        Ok(Some(version)) => Finding::ok(Section::Tls, format!("{at}: {version}, and its certificate holds")),
        Ok(None) => {
            let hint = "for tests only: Cloud Infinite itself is reached by https";
            Finding::warning(Section::Tls, format!("{at} answers without TLS, as [ci] endpoint says"), hint)
        }
        Err(why) => {
            let hint = "if nothing connects, look at firewall and proxy; if the certificate is refused, at the clock, the package `ca-certificates` and who answers in between";
            Finding::problem(Section::Tls, format!("{at}: {why}"), hint)
        }
    }
}
