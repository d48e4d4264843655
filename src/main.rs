//! ci-gateway.
fn main() {}
