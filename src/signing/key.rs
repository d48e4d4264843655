//! The key of one window, derived from the SecretKey.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::credentials::SecretKey;

/// Hexadecimal text of a SHA-1.
pub(super) type Digest = [u8; 40];

/// HMAC-SHA1 of the window under the SecretKey, as hexadecimal text (step 2 of the documentation).
///
/// As secret as the SecretKey for as long as the window lasts.
#[derive(Zeroize, ZeroizeOnDrop)]
pub(super) struct SignKey(Digest);

impl SignKey {
    /// `key_time` is the text of a window.
    pub(super) fn derive(secret: &SecretKey, key_time: &str) -> Self {
        Self(hexadecimal(&secret.keyed::<Hmac<Sha1>>("", key_time)))
    }

    /// Step 7: the 40 characters themselves are the key, not the 20 bytes that they spell.
    pub(super) fn sign(&self, string_to_sign: &str) -> String {
        text(&hmac_sha1(&self.0, string_to_sign.as_bytes()))
    }

    #[cfg(test)]
    pub(super) fn expose(&self) -> String {
        text(&self.0)
    }
}

impl fmt::Debug for SignKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SignKey(***)")
    }
}

/// Lower-case hexadecimal SHA-1 of `data`.
pub(super) fn sha1_hex(data: &str) -> String {
    use sha1::Digest as _;
    hex::encode(Sha1::digest(data.as_bytes()))
}

fn hmac_sha1(key: &[u8], message: &[u8]) -> Digest {
    // HMAC takes a key of any length (RFC 2104 section 2), so there is no error to tell of.
    let Ok(mut mac) = Hmac::<Sha1>::new_from_slice(key) else { return [0; 40] };
    mac.update(message);
    hexadecimal(&mac.finalize().into_bytes())
}

fn hexadecimal(hash: &[u8]) -> Digest {
    let mut digest = [0; 40];
    // 20 bytes always fill 40 characters.
    let _filled = hex::encode_to_slice(hash, &mut digest);
    digest
}

fn text(digest: &Digest) -> String {
    String::from_utf8_lossy(digest).into_owned()
}
