//! What the tests share.

pub(crate) mod gateway;
pub(crate) mod process;
