//! The little of DER (ITU-T X.690) that leads to the names in a certificate (RFC 5280 section 4.1).
//!
//! Strict and bounded by its input: nothing is followed, nothing recurses, and what is not DER is no certificate.

pub(super) const UTF8_STRING: u8 = 0x0c;
pub(super) const PRINTABLE_STRING: u8 = 0x13;
const OCTET_STRING: u8 = 0x04;
const OBJECT_IDENTIFIER: u8 = 0x06;
const BOOLEAN: u8 = 0x01;
const SEQUENCE: u8 = 0x30;
const SET: u8 = 0x31;
/// `[0]` and `[3]` of `TBSCertificate`: the version, and the extensions.
const VERSION: u8 = 0xa0;
const EXTENSIONS: u8 = 0xa3;
/// Where the subject stands, counted without the version.
const SUBJECT: usize = 4;

/// `id-ce-subjectAltName`, 2.5.29.17.
const ALTERNATIVE_NAME: &[u8] = &[0x55, 0x1d, 0x11];
/// `id-at-commonName`, 2.5.4.3.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];

/// One element: its tag and what is in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Value<'d> {
    pub(super) tag: u8,
    pub(super) contents: &'d [u8],
}

impl<'d> Value<'d> {
    fn of(self, tag: u8) -> Option<&'d [u8]> {
        (self.tag == tag).then_some(self.contents)
    }
}

/// The elements that `der` consists of, all of it.
pub(super) fn elements(mut der: &[u8]) -> Option<Vec<Value<'_>>> {
    let mut found = Vec::new();
    while !der.is_empty() {
        let (value, rest) = first(der)?;
        found.push(value);
        der = rest;
    }
    Some(found)
}

/// The names in the extension of alternative names; none if there is no such extension.
pub(super) fn alternative_names(certificate: &[u8]) -> Option<&[u8]> {
    let mut found: Option<&[u8]> = None;
    for extension in extensions(certificate)? {
        let (id, value) = match elements(extension.of(SEQUENCE)?)?.as_slice() {
            [id, value] => (*id, *value),
            [id, critical, value] if critical.tag == BOOLEAN => (*id, *value),
            _ => return None,
        };
        if id.of(OBJECT_IDENTIFIER)? == ALTERNATIVE_NAME {
            let names = only(value.of(OCTET_STRING)?)?.of(SEQUENCE)?;
            // RFC 5280 section 4.2: no extension stands twice.
            if found.replace(names).is_some() {
                return None;
            }
        }
    }
    Some(found.unwrap_or_default())
}

/// Every common name of the subject, as the string that it is.
pub(super) fn common_names(certificate: &[u8]) -> Option<Vec<Value<'_>>> {
    let mut found = Vec::new();
    for part in elements(fields(certificate)?.get(SUBJECT)?.of(SEQUENCE)?)? {
        for attribute in elements(part.of(SET)?)? {
            let attribute = elements(attribute.of(SEQUENCE)?)?;
            let [id, value] = attribute.as_slice() else { return None };
            if id.of(OBJECT_IDENTIFIER)? == COMMON_NAME {
                found.push(*value);
            }
        }
    }
    Some(found)
}

fn extensions(certificate: &[u8]) -> Option<Vec<Value<'_>>> {
    let fields = fields(certificate)?;
    match fields.iter().find(|field| field.tag == EXTENSIONS) {
        Some(extensions) => elements(only(extensions.contents)?.of(SEQUENCE)?),
        None => Some(Vec::new()),
    }
}

/// The fields of `TBSCertificate` from the serial number on.
fn fields(certificate: &[u8]) -> Option<Vec<Value<'_>>> {
    let (signed, _) = first(only(certificate)?.of(SEQUENCE)?)?;
    let mut fields = elements(signed.of(SEQUENCE)?)?;
    if fields.first()?.tag == VERSION {
        fields.remove(0);
    }
    Some(fields)
}

/// The element that is all of `der`.
fn only(der: &[u8]) -> Option<Value<'_>> {
    first(der).filter(|(_, rest)| rest.is_empty()).map(|(value, _)| value)
}

/// The first element of `der`, and what comes after it.
fn first(der: &[u8]) -> Option<(Value<'_>, &[u8])> {
    let (&tag, rest) = der.split_first()?;
    // Tags of more than one byte do not occur in a certificate.
    if tag & 0x1f == 0x1f {
        return None;
    }
    let (length, rest) = length(rest)?;
    let (contents, rest) = rest.split_at_checked(length)?;
    Some((Value { tag, contents }, rest))
}

/// X.690 section 10.1: the shortest form, and no indefinite one.
fn length(der: &[u8]) -> Option<(usize, &[u8])> {
    let (&first, rest) = der.split_first()?;
    if first < 0x80 {
        return Some((usize::from(first), rest));
    }
    let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x7f))?;
    let is_shortest = match bytes {
        [one] => *one >= 0x80,
        [high, ..] => *high != 0 && bytes.len() <= 3,
        [] => false,
    };
    let length = bytes.iter().take(3).fold(0, |length, byte| length << 8 | usize::from(*byte));
    is_shortest.then_some((length, rest))
}
