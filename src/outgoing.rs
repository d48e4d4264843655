//! Connections that the gateway opens, and one bounded question over such a connection.
//!
//! TLS is set up here and nowhere else. Nobody here follows a redirect, asks a proxy of the environment or sends a thing
//! twice.

mod authorities;
mod connector;
mod exchange;

pub use authorities::{Authorities, UnusableAuthorities};
pub use connector::{ConnectTimeout, Connector};
pub use exchange::{Exchange, Limits, Reply, Unanswered};
