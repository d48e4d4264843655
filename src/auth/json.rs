//! JSON in which no member stands twice: of two `aud`, a library takes the first and the next one the last
//! (RFC 7515 section 4, RFC 8725 section 2.4).

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// A value, as far as tokens and key sets are asked about it. No `Debug`: it may be a claim or a private key.
pub(super) enum Json {
    /// Any number; whole ones are exact up to 2^53, the year 285 million in seconds.
    Number(f64),
    /// A string.
    Text(String),
    /// An array.
    List(Vec<Json>),
    /// An object.
    Object(Object),
    /// `true` or `false`.
    Bool(bool),
    /// `null`.
    Null,
}

impl Json {
    /// The string, if it is one.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Number(_) | Self::List(_) | Self::Object(_) | Self::Bool(_) | Self::Null => None,
        }
    }

    /// The array of strings; one string counts as an array of it. `None` if anything in it is no string.
    pub(super) fn as_texts(&self) -> Option<Vec<&str>> {
        match self {
            Self::Text(text) => Some(vec![text]),
            Self::List(list) => list.iter().map(Self::as_text).collect(),
            Self::Number(_) | Self::Object(_) | Self::Bool(_) | Self::Null => None,
        }
    }
}

/// An object; its members have no order.
pub(super) struct Object(BTreeMap<String, Json>);

impl Object {
    /// Reads a text that is one object and nothing after it.
    ///
    /// # Errors
    /// What is wrong and where. Its message may quote the text: show its line and column, not the message.
    pub(super) fn parse(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// The member called `name`.
    pub(super) fn get(&self, name: &str) -> Option<&Json> {
        self.0.get(name)
    }

    /// The member called `name`, if it is a string.
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.get(name).and_then(Json::as_text)
    }

    /// Whether there is a member called `name`, of any type.
    pub(super) fn has(&self, name: &str) -> bool {
        self.0.contains_key(name)
    }

    /// Whether there is a member called `name` and no other.
    pub(super) fn has_only(&self, name: &str) -> bool {
        self.0.len() == 1 && self.has(name)
    }

    /// Every member.
    pub(super) fn into_members(self) -> impl Iterator<Item = (String, Json)> {
        self.0.into_iter()
    }
}

impl<'de> Deserialize<'de> for Object {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Json::deserialize(deserializer)? {
            Json::Object(object) => Ok(object),
            Json::Number(_) | Json::Text(_) | Json::List(_) | Json::Bool(_) | Json::Null => {
                Err(D::Error::custom("not an object"))
            }
        }
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(JsonVisitor)
    }
}

struct JsonVisitor;

impl<'de> Visitor<'de> for JsonVisitor {
    type Value = Json;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<Json, E> {
        Ok(Json::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Json, E> {
        Ok(Json::Bool(value))
    }

    // A date beyond 2^53 seconds is no date: that such a number is rounded does not matter.
    fn visit_u64<E>(self, number: u64) -> Result<Json, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Json, E> {
        Ok(Json::Number(number as f64))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Json, E> {
        Ok(Json::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Json, E> {
        Ok(Json::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Json, E> {
        Ok(Json::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Json, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element()? {
            list.push(item);
        }
        Ok(Json::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Json, A::Error> {
        let mut object = BTreeMap::new();
        while let Some(name) = members.next_key::<String>()? {
            match object.entry(name) {
                Entry::Vacant(place) => place.insert(members.next_value()?),
                Entry::Occupied(_) => return Err(A::Error::custom("a member stands twice")),
            };
        }
        Ok(Json::Object(Object(object)))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn members_are_found_by_name_and_type() {
        let object = Object::parse(br#"{"a":"x","b":[ "y", "z" ],"n":1.5,"o":{"a":null},"t":true}"#).unwrap();
        assert_eq!(object.text("a"), Some("x"));
        assert_eq!(object.get("a").unwrap().as_texts(), Some(vec!["x"]));
        assert_eq!(object.get("b").unwrap().as_texts(), Some(vec!["y", "z"]));
        assert!(matches!(object.get("n"), Some(Json::Number(n)) if n.to_bits() == 1.5_f64.to_bits()));
        assert!(matches!(object.get("o"), Some(Json::Object(inner)) if inner.has("a") && inner.text("a").is_none()));
        assert!(matches!(object.get("t"), Some(Json::Bool(true))));
        assert!(object.has("o") && !object.has_only("o") && Object::parse(br#"{"o":1}"#).unwrap().has_only("o"));
        assert!(object.get("t").unwrap().as_texts().is_none() && object.get("none").is_none());
    }

    // Row 50.
    #[test]
    fn a_member_that_stands_twice_is_refused_at_any_depth_and_in_any_spelling() {
        for text in [
            r#"{"aud":"a","aud":"a"}"#,
            r#"{"aud":"a","b":1,"aud":["c"]}"#,
            r#"{"aud":"a","\u0061ud":"b"}"#,
            r#"{"a":{"b":1,"b":2}}"#,
            r#"{"a":[{"b":1,"b":2}]}"#,
        ] {
            assert!(Object::parse(text.as_bytes()).is_err(), "{text}");
        }
    }

    // Row 52.
    #[test]
    fn what_is_not_one_object_in_utf8_is_refused() {
        for text in
            ["", "[]", "1", "null", "{", "{}{}", "{} x", "\u{feff}{}", "{'a':1}", "{\"a\":1e400}", "{\"a\":NaN}"]
        {
            assert!(Object::parse(text.as_bytes()).is_err(), "{text}");
        }
        assert!(Object::parse(b"{\"a\":\"\xff\"}").is_err());
        assert!(Object::parse(br#"{"a":"\ud800"}"#).is_err());
        assert!(Object::parse("[".repeat(100_000).as_bytes()).is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Object::parse(&bytes);
        }
    }
}
