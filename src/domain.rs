//! The nouns of the gateway, parsed once: whoever holds one of these values holds a valid one.
//!
//! Every type has private fields and one constructor; `FromStr` goes through it. Nothing here does I/O,
//! reads a clock or knows HTTP.

mod action;
mod bucket;
mod caller;
mod code;
mod loopback;
mod mistake;
mod printable;
mod region;
mod service;

pub use action::{Action, UnknownAction};
pub use bucket::{AppId, Bucket, InvalidBucket};
pub use caller::{Caller, Claim, Claims, InvalidCaller, Method};
pub use code::{Code, Outcome};
pub use loopback::is_loopback;
pub use mistake::{Mistake, Mistakes, nearest};
pub use printable::is_printable;
pub use region::{InvalidRegion, Region};
pub use service::{Service, Verb};
