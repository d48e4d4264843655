//! `ci-gateway token`.
