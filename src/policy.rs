//! CAM's policy language, decided locally.
