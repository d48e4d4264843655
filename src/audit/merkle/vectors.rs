//! The vectors of transparency-dev/merkle, read from the folder that `CI_GATEWAY_MERKLE` names. `.ci/run` sets it; the
//! vectors are not part of this repository.

use std::fs;
use std::path::{Path, PathBuf};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::{Digest, is_consistent, is_included};

const FILES: usize = 196;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Inclusion {
    leaf_idx: u64,
    tree_size: u64,
    root: String,
    leaf_hash: String,
    proof: Option<Vec<String>>,
    #[serde(rename = "desc")]
    _description: String,
    want_err: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Consistency {
    size1: u64,
    size2: u64,
    root1: String,
    root2: String,
    proof: Option<Vec<String>>,
    #[serde(rename = "desc")]
    _description: String,
    want_err: bool,
}

/// Some vectors hold words in the place of digests: the digest of such a word is as equal and as different as it is.
/// Where there is none at all, there is nothing to verify.
fn digest(text: &str) -> Option<Digest> {
    let bytes = STANDARD.decode(text).unwrap();
    let stand_for = || Digest::of(&[&bytes]);
    (!bytes.is_empty()).then(|| <[u8; 32]>::try_from(bytes.as_slice()).map_or_else(|_| stand_for(), Digest::from))
}

fn path(proof: Option<&Vec<String>>) -> Option<Vec<Digest>> {
    proof.into_iter().flatten().map(|text| digest(text)).collect()
}

fn included(vector: &Inclusion) -> Option<bool> {
    let (leaf, root) = (digest(&vector.leaf_hash)?, digest(&vector.root)?);
    Some(is_included(&leaf, vector.leaf_idx, vector.tree_size, &root, &path(vector.proof.as_ref())?))
}

fn consistent(vector: &Consistency) -> Option<bool> {
    let (old, new) = (digest(&vector.root1)?, digest(&vector.root2)?);
    Some(is_consistent(vector.size1, &old, vector.size2, &new, &path(vector.proof.as_ref())?))
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
#[ignore = "needs CI_GATEWAY_MERKLE: .ci/run sets it"]
fn the_merkle_vectors_are_accepted_and_refused_as_they_say() {
    let folder = std::env::var_os("CI_GATEWAY_MERKLE").expect("CI_GATEWAY_MERKLE must name the folder");
    let files = files(&Path::new(&folder).join("testdata"));
    let mut differ = Vec::new();
    for file in &files {
        let vector: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        let (held, wanted) = if vector.get("leafIdx").is_some() {
            let vector: Inclusion = serde_json::from_value(vector).unwrap();
            (included(&vector), !vector.want_err)
        } else {
            let vector: Consistency = serde_json::from_value(vector).unwrap();
            (consistent(&vector), !vector.want_err)
        };
        if (held == Some(true)) != wanted {
            differ.push(file);
        }
    }
    assert!(differ.is_empty(), "{differ:#?}");
    assert_eq!(files.len(), FILES);
}
