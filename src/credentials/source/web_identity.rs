//! Keys of a role that a pod's token takes on: `AssumeRoleWithWebIdentity` of the Security Token Service.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::Serialize;
use zeroize::Zeroizing;

use super::environment::variable;
use super::sts::{Asker, Question, Sts};
use super::{Asked, Issued, RoleArn, Source, WebIdentitySettings};
use crate::credentials::read_text;
use crate::domain::{Mistake, Region};

const REGION: &str = "TKE_REGION";
const PROVIDER_ID: &str = "TKE_PROVIDER_ID";
const TOKEN_FILE: &str = "TKE_WEB_IDENTITY_TOKEN_FILE";
const ROLE_ARN: &str = "TKE_ROLE_ARN";

/// A token of Kubernetes is about a kilobyte; in bytes.
const LARGEST_TOKEN: u64 = 16 * 1024;

/// A pod that shows its token.
#[derive(Debug)]
pub(super) struct WebIdentity {
    settings: WebIdentitySettings,
    sts: Sts,
}

/// The four values that make a question, from the configuration or from TKE.
#[derive(Debug)]
struct Pod {
    region: Region,
    provider_id: String,
    token_file: PathBuf,
    role_arn: RoleArn,
}

/// Source: "AssumeRoleWithWebIdentity", <https://www.tencentcloud.com/document/product/1150/49451>.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    provider_id: &'a str,
    web_identity_token: &'a str,
    role_arn: &'a str,
    role_session_name: &'a str,
    duration_seconds: u64,
}

impl WebIdentity {
    /// Prepares the way; nothing is asked, and neither the environment nor the token is read.
    ///
    /// # Errors
    /// A [`Mistake`] if the other end could not be proved.
    pub(super) fn new(settings: &WebIdentitySettings) -> Result<Self, Mistake> {
        Ok(Self { sts: Sts::new(settings.endpoint.as_ref())?, settings: settings.clone() })
    }

    async fn ask(&self) -> Result<Issued, Mistake> {
        let pod = Pod::of(&self.settings)?;
        let token = token(&pod.token_file)?;
        let body = Body {
            provider_id: &pod.provider_id,
            web_identity_token: token.trim(),
            role_arn: pod.role_arn.as_str(),
            role_session_name: self.settings.role_session_name.as_str(),
            duration_seconds: self.settings.duration.as_secs(),
        };
        let question = Question { action: "AssumeRoleWithWebIdentity", region: &pod.region, asker: Asker::Unsigned };
        self.sts.ask(question, &body).await
    }
}

impl Source for WebIdentity {
    fn keys(&self) -> Asked<'_> {
        Box::pin(self.ask())
    }
}

impl Pod {
    fn of(settings: &WebIdentitySettings) -> Result<Self, Mistake> {
        let region = either(settings.region.clone(), REGION)?;
        let provider_id = either(settings.provider_id.clone(), PROVIDER_ID)?;
        let token_file = either(settings.token_file.clone(), TOKEN_FILE)?;
        let role_arn = either(settings.role_arn.clone(), ROLE_ARN)?;
        match (region, provider_id, token_file, role_arn) {
            (Some(region), Some(provider_id), Some(token_file), Some(role_arn)) => {
                Ok(Self { region, provider_id, token_file, role_arn })
            }
            (region, provider_id, token_file, role_arn) => Err(missing([
                (REGION, region.is_none()),
                (PROVIDER_ID, provider_id.is_none()),
                (TOKEN_FILE, token_file.is_none()),
                (ROLE_ARN, role_arn.is_none()),
            ])),
        }
    }
}

/// The configured value, or that of the variable if it is set to something.
fn either<T: FromStr<Err: ToString>>(configured: Option<T>, name: &str) -> Result<Option<T>, Mistake> {
    if configured.is_some() {
        return Ok(configured);
    }
    let Some(text) = variable(name)?.filter(|text| !text.is_empty()) else { return Ok(None) };
    let wrong = |why: T::Err| Mistake::new("environment", format!("{name} cannot be used: {}", why.to_string()));
    text.parse().map(Some).map_err(wrong)
}

fn missing(values: [(&str, bool); 4]) -> Mistake {
    let names: Vec<_> = values.into_iter().filter_map(|(name, missing)| missing.then_some(name)).collect();
    Mistake::new("environment", format!("{} is not set, nor its key in [credentials]", names.join(", ")))
        .hint("TKE sets them in pods whose service account has a role; elsewhere write the keys of web_identity")
}

/// Read anew for each question: Kubernetes replaces it before it ends. Others may read it, as Kubernetes lets them.
pub(super) fn token(path: &Path) -> Result<Zeroizing<String>, Mistake> {
    let mistake = |what: String| Mistake::new(path.display().to_string(), what);
    let text =
        read_text(path, LARGEST_TOKEN).map_err(|why| mistake(format!("the pod's token cannot be read: {why}")))?;
    let text = Zeroizing::new(text);
    let token = text.trim();
    if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(mistake("holds no token: one line of printable ASCII is wanted".to_owned()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(token_file: &Path) -> WebIdentitySettings {
        WebIdentitySettings {
            region: Some("ap-beijing".parse().unwrap()),
            provider_id: Some("cls-1".to_owned()),
            token_file: Some(token_file.to_owned()),
            role_arn: Some("qcs::cam::uin/1:roleName/pod".parse().unwrap()),
            role_session_name: "ci-gateway".parse().unwrap(),
            duration: std::time::Duration::from_secs(7200),
            endpoint: None,
        }
    }

    #[test]
    fn what_is_missing_of_the_four_is_told_at_once() {
        let complete = settings(Path::new("/token"));
        assert!(Pod::of(&complete).is_ok());
        let less = WebIdentitySettings { region: None, role_arn: None, ..complete };
        let why = Pod::of(&less).unwrap_err().to_string();
        assert!(why.contains("TKE_REGION, TKE_ROLE_ARN is not set") && !why.contains("PROVIDER"), "{why}");
    }

    #[test]
    fn a_token_is_one_line_and_never_shown() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "eyJ.x.y\n").unwrap();
        assert_eq!(token(file.path()).unwrap().trim(), "eyJ.x.y");
        for text in ["", "\n", "marker marker", "marker\nmarker", "märker"] {
            std::fs::write(file.path(), text).unwrap();
            let why = token(file.path()).unwrap_err().to_string();
            assert!(why.contains("holds no token") && !why.contains("marker"), "{why}");
        }
        std::fs::write(file.path(), "x".repeat(17 * 1024)).unwrap();
        assert!(token(file.path()).unwrap_err().to_string().contains("larger than"));
        assert!(token(Path::new("/nowhere/token")).unwrap_err().to_string().contains("/nowhere/token"));
    }
}
