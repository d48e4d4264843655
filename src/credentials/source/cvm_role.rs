//! Keys of the role that a machine has: its metadata service gives them to whoever asks from the machine.
//!
//! Source: "Instance metadata", <https://www.tencentcloud.com/document/product/213/4934>, and the readers in Tencent's SDKs.

use bytes::Bytes;
use http::header::{HeaderValue, USER_AGENT};
use http::{Request, StatusCode, Uri};
use serde::Deserialize;

use super::asking::{at, exchange, quoted};
use super::temporary::Temporary;
use super::{Asked, CvmRoleSettings, Issued, RoleName, Source};
use crate::domain::Mistake;
use crate::outgoing::{Exchange, Reply};

const OFFICIAL: &str = "http://metadata.tencentyun.com";
const PATH: &str = "/latest/meta-data/cam/security-credentials/";
/// The word that stands for keys that were made.
const SUCCESS: &str = "Success";

/// The metadata service of this machine.
#[derive(Debug)]
pub(super) struct CvmRole {
    exchange: Exchange,
    address: Uri,
    role_name: Option<RoleName>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Status {
    code: String,
    expired_time: Option<i64>,
}

impl CvmRole {
    /// Prepares the way; nothing is asked.
    ///
    /// # Errors
    /// A [`Mistake`] if there is no way to the service.
    pub(super) fn new(settings: &CvmRoleSettings) -> Result<Self, Mistake> {
        let address = settings.endpoint.as_ref().map_or_else(|| Uri::from_static(OFFICIAL), |url| url.uri().clone());
        let exchange = exchange(&address, "the metadata service")?;
        Ok(Self { exchange, address, role_name: settings.role_name.clone() })
    }

    async fn ask(&self) -> Result<Issued, Mistake> {
        let found;
        let name = match &self.role_name {
            Some(name) => name,
            None => {
                found = self.only_role().await?;
                &found
            }
        };
        let reply = self.get(name.as_str()).await?;
        // Without serde's words: they may quote the text.
        let status: Status = serde_json::from_slice(reply.body()).map_err(|_| self.no_json())?;
        if status.code != SUCCESS {
            let what = format!("no keys for the role `{name}`: its Code is `{}`", quoted(&status.code));
            return Err(self.mistake(what).hint("look in the console whether the role may be used by this machine"));
        }
        let ends = status.expired_time.ok_or_else(|| self.mistake("the answer does not say when its keys end"))?;
        let temporary: Temporary = serde_json::from_slice(reply.body()).map_err(|_| self.no_json())?;
        temporary.until(ends, &self.place())
    }

    /// The role that the machine has, if it is one.
    async fn only_role(&self) -> Result<RoleName, Mistake> {
        let reply = self.get("").await?;
        let text = String::from_utf8_lossy(reply.body());
        let mut names = text.lines().map(str::trim).filter(|line| !line.is_empty());
        let name = |text: &str| {
            text.parse::<RoleName>().map_err(|_| self.mistake("the list of roles holds something that is no name"))
        };
        match (names.next().map(name).transpose()?, names.next().map(name).transpose()?) {
            (Some(only), None) => Ok(only),
            (Some(first), Some(second)) => {
                let all: Vec<_> = [first.as_str(), second.as_str()].into_iter().chain(names).collect();
                let what = format!("this machine has several roles: {}", quoted(&all.join(", ")));
                Err(self.mistake(what).hint("name one of them as role_name in [credentials]"))
            }
            (None, _) => Err(self.no_role()),
        }
    }

    async fn get(&self, name: &str) -> Result<Reply, Mistake> {
        let uri = at(&self.address, &format!("{PATH}{name}")).map_err(|why| self.mistake(why.to_string()))?;
        let mut request = Request::new(Bytes::new());
        *request.uri_mut() = uri;
        request.headers_mut().insert(USER_AGENT, HeaderValue::from_static("ci-gateway"));
        let reply = self.exchange.ask(request).await.map_err(|why| {
            self.mistake(why.to_string()).hint("only a machine in Tencent Cloud has a metadata service")
        })?;
        match reply.status() {
            StatusCode::OK => Ok(reply),
            StatusCode::NOT_FOUND if name.is_empty() => Err(self.no_role()),
            StatusCode::NOT_FOUND => Err(self
                .mistake(format!("this machine has no role `{name}`"))
                .hint("bind the role to the instance in the console, or leave role_name out")),
            other => Err(self.mistake(format!("answers with status {}, where 200 is wanted", other.as_u16()))),
        }
    }

    fn no_role(&self) -> Mistake {
        self.mistake("no role is bound to this instance").hint("bind a CAM role to it in the console of CVM")
    }

    fn no_json(&self) -> Mistake {
        self.mistake("the answer is not the JSON of keys").hint("see whether a proxy answers in its place")
    }

    fn mistake(&self, what: impl Into<Box<str>>) -> Mistake {
        Mistake::new(self.place(), what)
    }

    fn place(&self) -> String {
        format!("metadata service at {}", self.address.authority().map_or("", http::uri::Authority::as_str))
    }
}

impl Source for CvmRole {
    fn keys(&self) -> Asked<'_> {
        Box::pin(self.ask())
    }
}
