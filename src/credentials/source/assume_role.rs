//! Keys of a role that other keys take on: `AssumeRole` of the Security Token Service.

use serde::Serialize;

use super::cvm_role::CvmRole;
use super::environment::Environment;
use super::file::KeyFile;
use super::sts::{Asker, Question, Sts};
use super::{Asked, AssumeRoleSettings, BaseSettings, Issued, Source};
use crate::domain::Mistake;

/// A role, and whose keys ask for it.
#[derive(Debug)]
pub(super) struct AssumeRole {
    settings: AssumeRoleSettings,
    base: Box<dyn Source>,
    sts: Sts,
}

/// Source: "AssumeRole", <https://www.tencentcloud.com/document/product/1150/49452>.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Body<'a> {
    role_arn: &'a str,
    role_session_name: &'a str,
    duration_seconds: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    external_id: Option<&'a str>,
}

impl AssumeRole {
    /// Prepares the way; nothing is asked.
    ///
    /// # Errors
    /// A [`Mistake`] in what would be asked, or if the other end could not be proved.
    pub(super) fn new(settings: &AssumeRoleSettings) -> Result<Self, Mistake> {
        let base: Box<dyn Source> = match &settings.base {
            BaseSettings::Environment => Box::new(Environment),
            BaseSettings::File(path) => Box::new(KeyFile(path.clone())),
            BaseSettings::CvmRole(role) => Box::new(CvmRole::new(role)?),
        };
        Ok(Self { sts: Sts::new(settings.endpoint.as_ref())?, base, settings: settings.clone() })
    }

    async fn ask(&self) -> Result<Issued, Mistake> {
        let base = self.base.keys().await?;
        let AssumeRoleSettings { role_arn, role_session_name, duration, external_id, region, .. } = &self.settings;
        let body = Body {
            role_arn: role_arn.as_str(),
            role_session_name: role_session_name.as_str(),
            duration_seconds: duration.as_secs(),
            external_id: external_id.as_deref(),
        };
        let question = Question { action: "AssumeRole", region, asker: Asker::Signed(&base.keys) };
        self.sts.ask(question, &body).await
    }
}

impl Source for AssumeRole {
    fn keys(&self) -> Asked<'_> {
        Box::pin(self.ask())
    }
}
