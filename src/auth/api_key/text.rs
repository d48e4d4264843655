//! The form of a key: `cigw_<id>_<secret><checksum>`.
//!
//! The prefix and the fixed lengths let a scanner find a leaked key with one regular expression; the checksum lets it,
//! and us, tell a key from a text that only looks like one, and a typing mistake from an unknown key.

use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

/// What every key begins with.
pub(in crate::auth) const PREFIX: &str = "cigw_";
/// The regular expression that finds keys and little else, in the common subset of PCRE, RE2 and ECMAScript.
pub const KEY_PATTERN: &str = r"\bcigw_[0-9A-Za-z]{12}_[0-9A-Za-z]{38}\b";

pub(super) const ID_LENGTH: usize = 12;
/// 32 of 62 characters are 190 bits.
const SECRET_LENGTH: usize = 32;
/// Six of 62 characters hold 32 bits.
const CHECKSUM_LENGTH: usize = 6;
const KEY_LENGTH: usize = PREFIX.len() + ID_LENGTH + 1 + SECRET_LENGTH + CHECKSUM_LENGTH;
const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// The largest multiple of 62 in a byte: what lies above would make some characters likelier than others.
const FAIR: u8 = 248;

/// A text of the form of a key; whether it opens anything is another question. No `Debug`: it is a secret.
#[derive(Clone, Copy)]
pub struct KeyText<'t> {
    whole: &'t str,
    id: &'t str,
}

impl<'t> KeyText<'t> {
    /// `text`, if it has the form of a key.
    #[must_use]
    pub fn parse(text: &'t str) -> Option<Self> {
        let (id, rest) = text.strip_prefix(PREFIX)?.split_once('_')?;
        let lengths = (id.len(), rest.len()) == (ID_LENGTH, SECRET_LENGTH + CHECKSUM_LENGTH);
        (lengths && is_word(id) && is_word(rest)).then_some(Self { whole: text, id })
    }

    /// The part that names the key and is no secret.
    #[must_use]
    pub fn id(&self) -> &'t str {
        self.id
    }

    /// Whether the checksum is that of the rest: no character was mistyped or lost.
    #[must_use]
    pub fn is_intact(&self) -> bool {
        let parts = self.whole.split_at_checked(KEY_LENGTH - CHECKSUM_LENGTH);
        parts.is_some_and(|(body, told)| told.chars().eq(checksum(body)))
    }

    /// What the file of hashes holds in its place: the SHA-256 of all of it.
    pub(super) fn hash(&self) -> [u8; 32] {
        Sha256::digest(self.whole).into()
    }
}

/// Whether `text` could be the id of a key.
pub(super) fn is_id(text: &str) -> bool {
    text.len() == ID_LENGTH && is_word(text)
}

fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

/// A new key; the only copy of it.
pub(super) fn random() -> Result<Zeroizing<String>, getrandom::Error> {
    let mut key = Zeroizing::new(String::with_capacity(KEY_LENGTH));
    key.push_str(PREFIX);
    add_random(&mut key, ID_LENGTH)?;
    key.push('_');
    add_random(&mut key, SECRET_LENGTH)?;
    let checksum = checksum(&key);
    key.extend(checksum);
    Ok(key)
}

fn character(number: u32) -> char {
    let place = usize::try_from(number % 62).unwrap_or_default();
    // The remainder is below the length.
    ALPHABET.get(place).map_or('0', |character| char::from(*character))
}

fn add_random(key: &mut String, length: usize) -> Result<(), getrandom::Error> {
    let end = key.len() + length;
    let mut bytes = Zeroizing::new([0; 64]);
    while key.len() < end {
        getrandom::fill(bytes.as_mut())?;
        let fair = bytes.iter().filter(|byte| **byte < FAIR).map(|byte| character((*byte).into()));
        key.extend(fair.take(end - key.len()));
    }
    Ok(())
}

/// The first 32 bits of the SHA-256 of `body`, most significant digit first.
fn checksum(body: &str) -> [char; CHECKSUM_LENGTH] {
    let [a, b, c, d, ..] = <[u8; 32]>::from(Sha256::digest(body));
    let mut left = u32::from_be_bytes([a, b, c, d]);
    let mut digits = ['0'; CHECKSUM_LENGTH];
    for digit in digits.iter_mut().rev() {
        *digit = character(left);
        left /= 62;
    }
    digits
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const SAMPLE: &str = "cigw_0123456789ab_0123456789abcdefghijABCDEFGHIJxy";

    /// The sample with the checksum that it must have.
    fn intact() -> String {
        SAMPLE.chars().chain(checksum(SAMPLE)).collect()
    }

    #[test]
    fn a_key_has_a_prefix_an_id_a_secret_and_a_checksum_as_the_pattern_says() {
        let [first, second] = [random().unwrap(), random().unwrap()];
        for key in [&first, &second] {
            let parsed = KeyText::parse(key).unwrap();
            assert!(parsed.is_intact() && key.len() == KEY_LENGTH && is_id(parsed.id()));
        }
        assert_ne!(first, second);
        // The lengths of the pattern are those of the code.
        assert_eq!(
            KEY_PATTERN,
            format!(r"\b{PREFIX}[0-9A-Za-z]{{{ID_LENGTH}}}_[0-9A-Za-z]{{{}}}\b", SECRET_LENGTH + CHECKSUM_LENGTH)
        );
    }

    /// What scanners that check the sum have to agree with.
    #[test]
    fn the_checksum_is_the_first_32_bits_of_sha_256_in_base_62() {
        let told = Sha256::digest(SAMPLE).iter().take(4).fold(0, |sum, byte| sum << 8 | u64::from(*byte));
        let read = checksum(SAMPLE).iter().fold(0, |sum, digit| {
            let place = ALPHABET.iter().position(|known| char::from(*known) == *digit).unwrap();
            sum * 62 + u64::try_from(place).unwrap()
        });
        assert_eq!(read, told);
    }

    #[test]
    fn what_has_not_the_form_is_no_key() {
        let good = intact();
        assert!(KeyText::parse(&good).is_some());
        for text in [
            "",
            "cigw_",
            SAMPLE,
            &good.replace("cigw_", "CIGW_"),
            &good.replace("_0123456789ab_", "_0123456789a_b"),
            &format!("{good}x"),
            &format!(" {good}"),
            &good.replace("ABC", "A-C"),
            &good.replace("ABC", "A\u{e4}"),
        ] {
            assert!(KeyText::parse(text).is_none(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_mistyped_character_is_noticed(at in 17usize..50, typed in "[0-9A-Za-z]") {
            let mut text = intact();
            prop_assume!(text.get(at..=at) != Some(typed.as_str()));
            text.replace_range(at..=at, &typed);
            prop_assert!(!KeyText::parse(&text).is_some_and(|key| key.is_intact()));
        }

        #[test]
        fn any_text_is_a_key_or_not_and_nothing_worse(text in "(cigw_)?\\PC{0,60}") {
            prop_assert!(KeyText::parse(&text).is_none_or(|key| text.contains(key.id())));
        }
    }
}
