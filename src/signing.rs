//! The COS request signature (`q-sign-algorithm=sha1`), which Cloud Infinite uses for its bucket calls.
//!
//! Pure: a request, keys and a window go in, a value comes out. Every stage of the computation is part of
//! that value, so that a difference can be named instead of guessed. Source: "Request Signature",
//! <https://cloud.tencent.com/document/product/436/7778>; where its text and the official SDKs differ, the
//! SDKs' behaviour is followed (`tests/vectors/signing.json` was made by running them).

mod authorization;
mod canonical;
mod diagnosis;
mod key;
mod request;
mod stages;
mod window;

pub use authorization::{Authorization, InvalidAuthorization};
pub use diagnosis::{Cause, Diagnosis, RefusedSignature};
pub use request::{Request, SignedRequest};
pub use stages::{SigningError, Stages, View};
pub use window::{InvalidWindow, Window};
