//! Finding a secret in a text, in whichever form it got there.

use std::collections::HashSet;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

/// So much of a secret is too much: redaction that shows the first few characters is found too.
const PIECE: usize = 8;

/// A search for secrets, whole, in pieces and encoded.
#[derive(Default)]
pub(super) struct Search {
    pieces: HashSet<Vec<u8>>,
    forms: Vec<String>,
}

impl Search {
    pub(super) fn new(secrets: &[&str]) -> Self {
        let mut search = Self::default();
        secrets.iter().for_each(|secret| search.add(secret));
        search
    }

    pub(super) fn add(&mut self, secret: &str) {
        self.pieces.extend(secret.as_bytes().windows(PIECE).map(<[u8]>::to_vec));
        self.forms.extend(forms(secret));
    }

    /// Where something of a secret stands, with what is around it.
    pub(super) fn found_in(&self, text: &str) -> Option<String> {
        let piece = || text.as_bytes().windows(PIECE).position(|window| self.pieces.contains(window));
        let form = || self.forms.iter().find_map(|form| text.find(form.as_str()));
        let at = piece().or_else(form)?;
        let around = text.as_bytes().get(at.saturating_sub(80)..(at + 120).min(text.len())).unwrap();
        Some(String::from_utf8_lossy(around).into_owned())
    }
}

/// Hexadecimal, base64 wherever it begins, escaped for a URL, and as Rust shows bytes.
fn forms(secret: &str) -> Vec<String> {
    let hexadecimal = hex::encode(secret);
    let all_escaped: String = secret.bytes().map(|byte| format!("%{byte:02X}")).collect();
    let shown = format!("{:?}", secret.as_bytes());
    let mut forms = vec![
        hexadecimal.to_ascii_uppercase(),
        hexadecimal,
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        all_escaped.to_ascii_lowercase(),
        all_escaped,
        shown.trim_matches(['[', ']']).to_owned(),
    ];
    forms.extend((0..3).flat_map(|before| base64_behind(secret, before)));
    forms
}

/// What is the same in every base64 text in which so many bytes, modulo 3, stand before the secret.
fn base64_behind(secret: &str, before: usize) -> [String; 2] {
    let bytes = [&vec![0; before], secret.as_bytes()].concat();
    // A character stands for six bits: those that hold any bit of the neighbours are left out.
    let (first, end) = ((before * 8).div_ceil(6), bytes.len() * 8 / 6);
    [STANDARD_NO_PAD.encode(&bytes), URL_SAFE_NO_PAD.encode(&bytes)]
        .map(|text| text.get(first..end).unwrap().to_owned())
}

#[test]
fn a_planted_secret_is_found_in_every_form() {
    let secret = "Zx9+canary/Q7=one~";
    let search = Search::new(&[secret, "another-secret"]);
    let encoded = |text: &str| [STANDARD_NO_PAD.encode(text), URL_SAFE_NO_PAD.encode(text)];
    let mut planted = vec![
        secret.to_owned(),
        format!("key={}…", secret.get(..PIECE).unwrap()),
        hex::encode(secret),
        hex::encode_upper(secret),
        utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string(),
        format!("{:?}", secret.as_bytes()),
        format!("{:?}", [b"before", secret.as_bytes()].concat()),
    ];
    for before in ["", "a", "ab", "user:"] {
        planted.extend(encoded(&format!("{before}{secret}")));
        planted.extend(encoded(&format!("{before}{secret}:after")));
    }
    for text in planted {
        assert!(search.found_in(&format!("{{\"a\":\"{text}\"}}")).is_some(), "{text} was not found");
    }
    assert_eq!(search.found_in("nothing of it: Zx9+can, 5a78, another"), None);
}
