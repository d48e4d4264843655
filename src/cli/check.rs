//! `ci-gateway check`.
