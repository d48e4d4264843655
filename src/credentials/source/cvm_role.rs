//! Keys of the role that a machine has: its metadata service gives them to whoever asks from the machine.
//!
//! Source: "Instance metadata", <https://www.tencentcloud.com/document/product/213/4934>, and the readers in Tencent's SDKs.

use bytes::Bytes;
use http::header::{HeaderValue, USER_AGENT};
use http::{Request, StatusCode, Uri};
use serde::Deserialize;

use super::asking::{at, exchange, quoted};
use super::temporary::Temporary;
use super::{Asked, CvmRoleSettings, Issued, Source};
use crate::domain::Mistake;
use crate::outgoing::{Exchange, Reply};

const OFFICIAL: &str = "http://metadata.tencentyun.com";
const PATH: &str = "/latest/meta-data/cam/security-credentials/";
/// CAM's own limit, in bytes.
const LONGEST_NAME: usize = 128;
/// The word that stands for keys that were made.
const SUCCESS: &str = "Success";

/// The metadata service of this machine.
#[derive(Debug)]
pub(super) struct CvmRole {
    exchange: Exchange,
    address: Uri,
    role_name: Option<String>,
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
    /// A [`Mistake`] if the role's name cannot be one.
    pub(super) fn new(settings: &CvmRoleSettings) -> Result<Self, Mistake> {
        let address = settings.endpoint.as_ref().map_or_else(|| Uri::from_static(OFFICIAL), |url| url.uri().clone());
        if let Some(name) = settings.role_name.as_deref().filter(|name| !is_name(name)) {
            let what = format!("`{}` is no name of a role", quoted(name));
            return Err(Mistake::new("[credentials] role_name", what)
                .hint("write its name as CAM shows it: letters, digits and `_+=,.@-`"));
        }
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
        let reply = self.get(name).await?;
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
    async fn only_role(&self) -> Result<String, Mistake> {
        let reply = self.get("").await?;
        let text = String::from_utf8_lossy(reply.body());
        let mut names = text.lines().map(str::trim).filter(|line| !line.is_empty());
        match (names.next(), names.next()) {
            (Some(name), None) if is_name(name) => Ok(name.to_owned()),
            (Some(first), Some(second)) if is_name(first) && is_name(second) => {
                let all: Vec<_> = [first, second].into_iter().chain(names).collect();
                let what = format!("this machine has several roles: {}", quoted(&all.join(", ")));
                Err(self.mistake(what).hint("name one of them as role_name in [credentials]"))
            }
            (Some(_), _) => Err(self.mistake("the list of roles holds something that is no name")),
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

/// Letters that need no escape in a path and cannot leave it: a name comes from the service, too.
fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"_+=,.@-".contains(&byte);
    let is_dots = text.bytes().all(|byte| byte == b'.');
    !is_dots && text.len() <= LONGEST_NAME && text.bytes().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_of_a_role_stays_in_its_place_of_the_path() {
        assert!(["CI-Gateway_1", "a+b=c,d.e@f"].into_iter().all(is_name));
        for name in ["", ".", "..", "a/b", "a?b", "a#b", "a%2fb", "a b", "é", &"a".repeat(129)] {
            assert!(!is_name(name), "{name}");
            let settings = CvmRoleSettings { role_name: Some(name.to_owned()), endpoint: None };
            assert!(CvmRole::new(&settings).is_err(), "{name}");
        }
    }
}
