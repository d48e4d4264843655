//! `ci-gateway stand_in`.
