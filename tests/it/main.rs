//! One integration binary: `support` and one file per subject. The names of the tests are sentences.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::allow_attributes,
    reason = "tests may be blunt"
)]

mod support;

// in one process, over real sockets
mod answers;
mod api_keys;
mod authentication;
mod bodies;
mod client_address;
mod clock;
mod failed_authentications;
mod faults;
mod heads;
mod invariants;
mod jwks;
mod metrics;
mod permissions;
mod readme;
mod routes;
mod shadow;

// the program itself
mod audit_commands;
mod audit_faults;
mod audit_file;
mod audit_kill;
mod check;
mod dev;
mod diagnosis;
mod doctor;
mod drain;
mod https;
mod key;
mod keys_rotation;
mod log;
mod memory;
mod mtls;
mod policy;
mod reload;
mod secrets;
mod serve;
mod signing;
mod sources;
mod token;
mod watch;
