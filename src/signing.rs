//! The COS request signature.
