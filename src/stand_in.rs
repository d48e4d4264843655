//! A model of Cloud Infinite.
