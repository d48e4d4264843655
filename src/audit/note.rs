//! Checkpoints as signed notes: what a log says of its size and root, in a form that others can read too.
//!
//! A checkpoint (<https://c2sp.org/tlog-checkpoint>) is three lines, the origin, the size in decimal and the root in
//! base64, in a signed note (<https://c2sp.org/signed-note>): then comes an empty line, and a line for each signature,
//! `— NAME BASE64(key id ‖ signature)`. Here the name of the key is the origin, and the signature is Ed25519.

mod origin;
mod signer;
mod verifier;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

pub use origin::{InvalidOrigin, Origin};
pub use signer::Signer;
pub use verifier::{InvalidKey, Verifier};

use super::Digest;

/// A note with more bytes is none of ours; the specification leaves the bound to the reader.
pub const LONGEST_NOTE: usize = 16 * 1024;
/// The specification asks for room for 16 at least.
const MOST_SIGNATURES: usize = 16;
/// What a signature line begins with: an em dash and a space.
const DASH: &str = "\u{2014} ";
const KEY_ID: usize = 4;
/// Bytes of an Ed25519 signature.
const SIGNATURE: usize = 64;

/// What a log said of itself at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    origin: Origin,
    size: u64,
    root: Digest,
}

impl Checkpoint {
    /// Reads a note, whole and with nothing behind it; with a `verifier`, one of its signatures must be that key's, and
    /// hold. Signatures by other keys are looked at for their form alone.
    ///
    /// # Errors
    /// [`BadNote`].
    pub fn read(note: &str, verifier: Option<&Verifier>) -> Result<Self, BadNote> {
        if note.len() > LONGEST_NOTE || note.bytes().any(|byte| byte < b' ' && byte != b'\n') {
            return Err(BadNote::Form);
        }
        // The last empty line is the one that parts them.
        let parting = note.rfind("\n\n").ok_or(BadNote::Form)?;
        let (text, signatures) = note.split_at_checked(parting + 1).ok_or(BadNote::Form)?;
        let checkpoint = Self::of_text(text)?;
        let signatures = signatures.strip_prefix('\n').and_then(SignatureLine::all).ok_or(BadNote::Form)?;
        // A log signs its own checkpoints, whoever else does.
        if signatures.iter().all(|line| line.name != checkpoint.origin.as_str()) {
            return Err(BadNote::Form);
        }
        if let Some(verifier) = verifier {
            checkpoint.is_signed(text, &signatures, verifier)?;
        }
        Ok(checkpoint)
    }

    /// The three lines of the text; a log of ours writes no further ones.
    fn of_text(text: &str) -> Result<Self, BadNote> {
        let mut lines = text.strip_suffix('\n').ok_or(BadNote::Form)?.split('\n');
        let (Some(origin), Some(size), Some(root), None) = (lines.next(), lines.next(), lines.next(), lines.next())
        else {
            return Err(BadNote::Form);
        };
        let checkpoint = Self {
            origin: origin.parse().map_err(|_| BadNote::Form)?,
            size: size.parse().map_err(|_| BadNote::Form)?,
            root: root_of(root).ok_or(BadNote::Form)?,
        };
        // One checkpoint has one spelling: `+7` and `007` are none.
        if checkpoint.text() == text { Ok(checkpoint) } else { Err(BadNote::Form) }
    }

    fn is_signed(&self, text: &str, lines: &[SignatureLine<'_>], verifier: &Verifier) -> Result<(), BadNote> {
        if !verifier.is_of(&self.origin) {
            return Err(BadNote::OtherLog);
        }
        let key_id = verifier.key_id(&self.origin);
        let mut by_key =
            lines.iter().filter(|line| line.name == self.origin.as_str() && line.key_id == key_id).peekable();
        if by_key.peek().is_none() {
            return Err(BadNote::NotSigned);
        }
        if by_key.clone().any(|line| line.signature.len() != SIGNATURE) {
            return Err(BadNote::Form);
        }
        // One that does not hold spoils the note, whatever stands beside it.
        if by_key.all(|line| verifier.holds(text.as_bytes(), &line.signature)) { Ok(()) } else { Err(BadNote::Forged) }
    }

    /// What is signed.
    fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.as_bytes()))
    }

    /// The name of the log.
    #[must_use]
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// How many records it covers.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The root of the tree over them.
    #[must_use]
    pub fn root(&self) -> Digest {
        self.root
    }
}

fn root_of(text: &str) -> Option<Digest> {
    let bytes: [u8; 32] = STANDARD.decode(text).ok()?.try_into().ok()?;
    Some(Digest::from(bytes))
}

struct SignatureLine<'a> {
    name: &'a str,
    key_id: [u8; KEY_ID],
    signature: Vec<u8>,
}

impl<'a> SignatureLine<'a> {
    /// All lines of `text`, of which each ends with a line end; there is one at least.
    fn all(text: &'a str) -> Option<Vec<Self>> {
        let lines = text.strip_suffix('\n')?.split('\n');
        let lines: Vec<Self> = lines.take(MOST_SIGNATURES + 1).map(Self::read).collect::<Option<_>>()?;
        (lines.len() <= MOST_SIGNATURES).then_some(lines)
    }

    fn read(line: &'a str) -> Option<Self> {
        let (name, code) = line.strip_prefix(DASH)?.split_once(' ')?;
        let name = origin::is_name(name).then_some(name)?;
        let bytes = STANDARD.decode(code).ok()?;
        let (key_id, signature) = bytes.split_first_chunk::<KEY_ID>()?;
        Some(Self { name, key_id: *key_id, signature: signature.to_vec() })
    }
}

/// Why a text is no checkpoint to go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadNote {
    /// It is not written as one.
    #[error("it has not the form of a signed checkpoint")]
    Form,
    /// The key that it is to be verified with belongs to a log of another name.
    #[error("it is of another log than the public key")]
    OtherLog,
    /// No signature is by the key that it is to be verified with.
    #[error("it is not signed with the private half of the public key")]
    NotSigned,
    /// A signature says that it is by that key, and is not.
    #[error("its signature does not hold")]
    Forged,
}

#[cfg(test)]
mod tests;
