//! Configuration: raw text in, ready-to-use values out.
