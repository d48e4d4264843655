//! Cloud Infinite's words: which call to make for an operation, and what its answer means.
//!
//! Pure. Sources: the pages of the activation calls, for Smart Audio
//! <https://www.tencentcloud.com/document/product/1045/73363> (POST), `/73364` (GET) and `/73365` (DELETE), and
//! the error pages <https://www.tencentcloud.com/document/product/1045/43611>.

mod create_time;
mod fault;
mod host;
mod operation;
mod request;
mod response;
mod times;
mod words;
mod xml;

pub use create_time::CreateTime;
pub use fault::{Fault, FaultKind};
pub use host::of_region as region_host;
pub use operation::Operation;
pub use request::request;
pub use response::{Answer, Asked, Enrolment, Reply, Unserved, What, read};
pub use times::http_date;
pub use words::{FaultCode, RequestId};
pub use xml::{LARGEST_ANSWER, Unreadable};
