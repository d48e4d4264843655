#![doc = include_str!("../README.md")]
//!
//! # Layout
//! The modules stand in the order in which a request meets them; a module names only those below it in this
//! list (`tests/architecture.rs` holds them to it). `docs/architecture.md` tells the life of a request.

pub mod cli;
pub mod config;
pub mod server;
pub mod api;
pub mod auth;
pub mod audit;
pub mod policy;
pub mod upstream;
pub mod telemetry;
pub mod ci;
pub mod signing;
pub mod credentials;
pub mod outgoing;
pub mod domain;
// Apart from the line: the stand-in shares no code with the gateway but the nouns of `domain`.
pub mod stand_in;
