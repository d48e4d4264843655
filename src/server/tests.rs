//! The server over real sockets of the loopback, in front of a small service of its own.

mod drain;
mod heads;
mod limits;
mod support;
mod tls;
