//! CVE-2017-15361, "ROCA": RSA keys of a broken smart-card library, which can be factored from their public half.
//!
//! Its primes were powers of 65537 modulo a product of small primes, so the modulus is one too. A sound modulus
//! is so for all of these primes about once in a hundred million. Source: Nemec et al., "The Return of
//! Coppersmith's Attack", CCS 2017, section 3.

/// Every odd prime up to 167, which all divide that library's product, whatever the length of the key.
const PRIMES: [u32; 38] = [
    3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59, 61, 67, 71, 73, 79, 83, 89, 97, 101, 103, 107, 109,
    113, 127, 131, 137, 139, 149, 151, 157, 163, 167,
];
const GENERATOR: u32 = 65537;

/// Whether `modulus`, big-endian, bears the mark of that library.
pub(super) fn is_marked(modulus: &[u8]) -> bool {
    PRIMES.iter().all(|prime| is_power_of_generator(remainder(modulus, *prime), *prime))
}

fn remainder(modulus: &[u8], prime: u32) -> u32 {
    modulus.iter().fold(0, |rest, byte| (rest * 256 + u32::from(*byte)) % prime)
}

fn is_power_of_generator(rest: u32, prime: u32) -> bool {
    // The powers repeat after fewer than `prime` steps.
    std::iter::successors(Some(1), |power| Some(power * (GENERATOR % prime) % prime))
        .take(prime as usize)
        .any(|power| power == rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn powers_of_the_generator_are_marked_and_their_neighbours_are_not() {
        for power in [&[1_u8] as &[u8], &[1, 0, 1], &[1, 0, 2, 0, 1], &[1, 0, 3, 0, 3, 0, 1]] {
            assert!(is_marked(power), "{power:?}");
        }
        for other in [&[] as &[u8], &[0], &[3], &[1, 0, 3], &[1, 0, 2, 0, 3]] {
            assert!(!is_marked(other), "{other:?}");
        }
    }
}
