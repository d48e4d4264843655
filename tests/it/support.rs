//! What the tests share.

pub(crate) mod gateway;
pub(crate) mod load;
pub(crate) mod process;
pub(crate) mod records;
