//! What was left behind on the stack.

use zeroize::Zeroize;

/// Overwrites the `BYTES` of the stack below the caller, where the functions that it has called before have worked.
///
/// A hash hands the block that it is at from one function to the next by value, and each of them leaves a copy on the stack
/// that nobody wipes. Whoever has hashed a secret calls this afterwards, from the function that began.
#[inline(never)]
pub fn wipe_the_stack<const BYTES: usize>() {
    let mut below = [0_u8; BYTES];
    below.zeroize();
    std::hint::black_box(&below);
}
