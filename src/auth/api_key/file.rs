//! The file of hashed keys: TOML, a `[[key]]` for each.
//!
//! Whoever can write it can let anybody in, so a file that everybody can write is refused. It holds no secret, but an
//! operator who errs may have put one there: no message repeats a value.

use std::collections::{BTreeMap, HashMap};
use std::io::{ErrorKind, Read};
use std::net::IpAddr;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use ipnet::IpNet;
use jiff::Timestamp;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::text::{self, PREFIX};
use super::{Hash, KeyText, StoredKey};
use crate::credentials::open_regular;
use crate::domain::{Caller, Method, Mistake, Mistakes, nearest};

/// A hundred thousand keys are some 30 MiB.
const LARGEST: u64 = 64 * 1024 * 1024;
const WRITABLE_BY_ALL: u32 = 0o002;
/// The old one and the new one while a key is replaced.
const MOST_KEYS_OF_A_CALLER: usize = 2;

const KEYS: [&str; 7] = ["id", "caller", "groups", "hash", "not_after", "networks", "disabled"];
const NO_TABLES: Flaw = ("`key` is a list of tables", "write `[[key]]`, in two brackets, above each entry");
const MAKE_ONE: &str = "take the entry that `ci-gateway key new` prints";

/// What is wrong with a value, and what to do. Constant texts: nothing of the value gets into them.
type Flaw = (&'static str, &'static str);

/// The text of the file at `path`.
pub(super) fn open(path: &Path) -> Result<String, Mistake> {
    let place = path.display().to_string();
    let cannot = |why: std::io::Error| match why.kind() {
        ErrorKind::InvalidData => Mistake::new(place.as_str(), "is not UTF-8").hint("save the file as UTF-8"),
        _ => Mistake::new(place.as_str(), format!("cannot be read: {why}")),
    };
    let (file, metadata) = open_regular(path).map_err(cannot)?;
    if metadata.len() > LARGEST {
        return Err(Mistake::new(place.as_str(), format!("is larger than {LARGEST} bytes")));
    }
    if metadata.mode() & WRITABLE_BY_ALL != 0 {
        let what = "says who is let in, and everybody on this machine can write to it";
        return Err(Mistake::new(place.as_str(), what).hint(format!("chmod o-w {place}")));
    }
    let mut text = String::new();
    file.take(LARGEST).read_to_string(&mut text).map_err(cannot)?;
    Ok(text)
}

/// The keys in `text` by their ids.
pub(super) fn read(text: &str, place: &str) -> Result<HashMap<Box<str>, StoredKey>, Mistakes> {
    let mut reading = Reading::of(text, place);
    reading.refuse_whole_keys();
    // Whatever else is said about such a text could repeat a part of the key.
    Mistakes::unless_any(std::mem::take(&mut reading.mistakes), ())?;
    let (table, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let at = error.span().unwrap_or_default().start;
        reading.say(at, format!("not TOML: {}", error.message()), "each key begins with a line `[[key]]`");
    }
    Mistakes::unless_any(std::mem::take(&mut reading.mistakes), ())?;
    let keys = reading.keys(table.get_ref());
    reading.mistakes.sort_by_key(Mistake::line);
    Mistakes::unless_any(reading.mistakes, keys)
}

/// A text that is being read.
struct Reading<'t> {
    text: &'t str,
    place: &'t str,
    line_ends: Vec<usize>,
    mistakes: Vec<Mistake>,
}

impl<'t> Reading<'t> {
    fn of(text: &'t str, place: &'t str) -> Self {
        let line_ends = text.match_indices('\n').map(|(at, _)| at).collect();
        Self { text, place, line_ends, mistakes: Vec::new() }
    }

    /// A mistake in what stands at byte `at`.
    fn say(&mut self, at: usize, what: impl Into<Box<str>>, hint: &str) {
        let line = self.line_ends.partition_point(|end| *end < at) + 1;
        self.mistakes.push(Mistake::new(self.place, what).at_line(line).hint(hint));
    }

    /// Looks at the text itself, so that a comment or a key's name hides nothing.
    fn refuse_whole_keys(&mut self) {
        let text = self.text;
        for (at, _) in text.match_indices(PREFIX) {
            let rest = text.get(at..).unwrap_or_default();
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
            if rest.get(..end).is_some_and(|word| KeyText::parse(word).is_some()) {
                let hint = "it is known to whoever could read this file: take it out, and make a new one with `ci-gateway key new`";
                self.say(at, "an API key itself stands here, and not its hash", hint);
            }
        }
    }

    fn keys(&mut self, root: &DeTable<'_>) -> HashMap<Box<str>, StoredKey> {
        self.refuse_unknown(root, &["key"]);
        let (mut keys, mut active) = (HashMap::new(), BTreeMap::<String, usize>::new());
        for entry in self.entries(root) {
            let at = entry.span().start;
            let DeValue::Table(table) = entry.get_ref() else {
                self.say(at, NO_TABLES.0, NO_TABLES.1);
                continue;
            };
            let Some((id, key)) = self.entry(at, table) else { continue };
            if !key.disabled {
                let count = active.entry(key.caller.name().to_owned()).or_default();
                *count += 1;
                if *count == MOST_KEYS_OF_A_CALLER + 1 {
                    let what = format!("`{}` has more than two keys that are not disabled", key.caller.name());
                    self.say(at, what, "one to use and one to change to are enough: take out the others");
                }
            }
            if keys.insert(id.into(), key).is_some() {
                self.say(at, "this `id` stands in an earlier entry too", "each key has an id of its own");
            }
        }
        keys
    }

    fn entries<'v>(&mut self, root: &'v DeTable<'_>) -> Vec<&'v Spanned<DeValue<'v>>> {
        let Some(value) = find(root, "key") else { return Vec::new() };
        match value.get_ref() {
            DeValue::Array(entries) => entries.iter().collect(),
            _ => {
                self.say(value.span().start, NO_TABLES.0, NO_TABLES.1);
                Vec::new()
            }
        }
    }

    fn entry(&mut self, at: usize, table: &DeTable<'_>) -> Option<(String, StoredKey)> {
        self.refuse_unknown(table, &KEYS);
        let id = self.required(at, table, "id", id);
        let caller = self.required(at, table, "caller", text_of);
        let hash = self.required(at, table, "hash", hash);
        let groups = self.optional(table, "groups", texts_of);
        let not_after = self.optional(table, "not_after", moment);
        let networks = self.optional(table, "networks", networks);
        let disabled = self.optional(table, "disabled", switch);
        let caller = self.caller(at, &caller?, groups?.unwrap_or_default(), id.as_deref()?)?;
        let networks = networks?.unwrap_or_default().into();
        let (not_after, disabled) = (not_after?, disabled?.unwrap_or(false));
        Some((id?, StoredKey { hash: hash?, caller, not_after, networks, disabled }))
    }

    fn caller(&mut self, at: usize, name: &str, groups: Vec<String>, id: &str) -> Option<Arc<Caller>> {
        match Caller::new(name, groups, Method::ApiKey.as_str()) {
            Ok(caller) => Some(Arc::new(caller.known_by(Method::ApiKey).with_key_id(id))),
            Err(why) => {
                self.say(
                    at,
                    why.to_string(),
                    "write the names as they stand in the policy, without `user:` or `group:`",
                );
                None
            }
        }
    }

    fn required<T>(
        &mut self,
        at: usize,
        table: &DeTable<'_>,
        name: &str,
        parse: impl FnOnce(&DeValue<'_>) -> Result<T, Flaw>,
    ) -> Option<T> {
        if find(table, name).is_none() {
            self.say(at, format!("a key needs its `{name}`"), MAKE_ONE);
        }
        self.optional(table, name, parse).flatten()
    }

    /// `Some(None)` where nothing stands, `None` after a mistake.
    fn optional<T>(
        &mut self,
        table: &DeTable<'_>,
        name: &str,
        parse: impl FnOnce(&DeValue<'_>) -> Result<T, Flaw>,
    ) -> Option<Option<T>> {
        let Some(value) = find(table, name) else { return Some(None) };
        let result = parse(value.get_ref());
        result.map(Some).map_err(|(what, hint)| self.say(value.span().start, format!("`{name}` {what}"), hint)).ok()
    }

    fn refuse_unknown(&mut self, table: &DeTable<'_>, known: &[&str]) {
        for (key, _) in table {
            let name: &str = key.get_ref();
            if known.contains(&name) {
                continue;
            }
            let hint = match nearest(name, known.iter().copied()) {
                Some(near) => format!("did you mean `{near}`?"),
                None => format!("known here: {}", known.join(", ")),
            };
            self.say(key.span().start, format!("unknown key `{}`", name.escape_debug()), &hint);
        }
    }
}

fn find<'v>(table: &'v DeTable<'_>, name: &str) -> Option<&'v Spanned<DeValue<'v>>> {
    table.iter().find(|(key, _)| key.get_ref() == name).map(|(_, value)| value)
}

fn text_of(value: &DeValue<'_>) -> Result<String, Flaw> {
    match value {
        DeValue::String(text) => Ok(text.to_string()),
        _ => Err(("is no text", "write it in double quotes")),
    }
}

fn texts_of(value: &DeValue<'_>) -> Result<Vec<String>, Flaw> {
    match value {
        DeValue::Array(items) => items.iter().map(|item| text_of(item.get_ref())).collect(),
        _ => Err(("is no list", "write a list of texts, as in [\"one\", \"two\"]")),
    }
}

fn id(value: &DeValue<'_>) -> Result<String, Flaw> {
    let id = text_of(value)?;
    if text::is_id(&id) { Ok(id) } else { Err(("is not 12 letters and digits", MAKE_ONE)) }
}

fn hash(value: &DeValue<'_>) -> Result<Hash, Flaw> {
    let text = text_of(value)?;
    let mut hash = Hash::default();
    let read = text.strip_prefix("sha256:").is_some_and(|digits| hex::decode_to_slice(digits, &mut hash).is_ok());
    if read { Ok(hash) } else { Err(("is not `sha256:` and 64 hexadecimal digits", MAKE_ONE)) }
}

fn moment(value: &DeValue<'_>) -> Result<Timestamp, Flaw> {
    let text = match value {
        DeValue::Datetime(time) => time.to_string(),
        other => text_of(other)?,
    };
    text.parse().map_err(|_| ("is not one moment for everyone", "write it as in 2027-01-31T00:00:00Z"))
}

fn switch(value: &DeValue<'_>) -> Result<bool, Flaw> {
    match value {
        DeValue::Boolean(switch) => Ok(*switch),
        _ => Err(("is neither true nor false", "write it without quotes")),
    }
}

fn networks(value: &DeValue<'_>) -> Result<Vec<IpNet>, Flaw> {
    let networks: Vec<IpNet> = texts_of(value)?.iter().map(|text| network(text)).collect::<Result<_, _>>()?;
    if networks.is_empty() {
        return Err(("is empty: the key could be used from nowhere", "leave it out, or set disabled = true"));
    }
    Ok(networks)
}

/// `10.0.0.0/8`, `fd00::/8`, or one address.
pub(super) fn network(text: &str) -> Result<IpNet, Flaw> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let network = text.parse::<IpNet>().or_else(|_| address());
    let network = network.map_err(|_| ("holds what is no network", "write 10.0.0.0/8, fd00::/8 or one address"))?;
    if network != network.trunc() {
        return Err(("holds an address beyond its prefix", "set the bits behind the prefix to zero, as in 10.0.0.0/8"));
    }
    // Peers are compared in their own form, so that this one would fit nobody.
    if matches!(network.addr(), IpAddr::V6(address) if address.to_ipv4_mapped().is_some()) {
        return Err(("holds an IPv4 network in the clothes of IPv6", "write it as IPv4, without ::ffff:"));
    }
    Ok(network)
}
