//! Cloud Infinite's words.
