//! Names in certificates, good and hostile; rows 74 and 75.

use proptest::prelude::*;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, DnType, DnValue, KeyPair, SanType};

use super::*;

const ALTERNATIVE_NAMES: [u64; 4] = [2, 5, 29, 17];

/// A certificate with these alternative names and nothing in its subject.
fn with_names(names: Vec<SanType>) -> CertificateDer<'static> {
    made(|params| params.subject_alt_names = names)
}

fn made(change: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    change(&mut params);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().clone()
}

/// A certificate with names that no decent library writes: pairs of a tag and bytes.
fn with_raw_names(names: &[(u8, &[u8])]) -> CertificateDer<'static> {
    let names: Vec<u8> = names.iter().flat_map(|(tag, bytes)| element(*tag, bytes)).collect();
    let extension = CustomExtension::from_oid_content(&ALTERNATIVE_NAMES, element(0x30, &names));
    made(|params| params.custom_extensions = vec![extension])
}

fn element(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len();
    let mut der = match u8::try_from(length) {
        Ok(short @ 0..0x80) => vec![tag, short],
        Ok(one) => vec![tag, 0x81, one],
        Err(_) => vec![tag, 0x82, (length >> 8) as u8, length as u8],
    };
    der.extend(contents);
    der
}

fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

fn dns(text: &str) -> SanType {
    SanType::DnsName(text.try_into().unwrap())
}

fn name(part: UserFrom, certificate: &CertificateDer<'_>) -> Result<String, Reason> {
    part.caller(certificate).map(|caller| caller.name().to_owned())
}

#[test]
fn the_one_name_of_its_kind_is_the_caller() {
    let certificate = with_names(vec![
        uri("spiffe://example.org/ns/speech/sa/transcriber"),
        dns("svc-1.speech.example"),
        SanType::IpAddress("10.0.0.1".parse().unwrap()),
    ]);
    assert_eq!(name(UserFrom::SanUri, &certificate).unwrap(), "spiffe://example.org/ns/speech/sa/transcriber");
    assert_eq!(name(UserFrom::SanDns, &certificate).unwrap(), "svc-1.speech.example");
    let caller = UserFrom::SanDns.caller(&certificate).unwrap();
    assert_eq!((caller.issuer(), caller.method(), caller.groups().count()), ("mtls", Method::Certificate, 0));
}

#[test]
fn no_name_of_its_kind_or_several_name_nobody() {
    let several = with_names(vec![uri("a:b"), uri("a:c"), dns("a.example"), dns("b.example")]);
    let other = with_names(vec![SanType::Rfc822Name("a@b.example".try_into().unwrap())]);
    let common_name_only = made(|params| params.distinguished_name.push(DnType::CommonName, "alice"));
    for certificate in [&several, &other, &common_name_only, &made(|_| ())] {
        for part in [UserFrom::SanUri, UserFrom::SanDns] {
            assert_eq!(name(part, certificate), Err(Reason::UnnamedCertificate), "{part:?}");
        }
    }
    assert_eq!(name(UserFrom::SubjectCn, &several), Err(Reason::UnnamedCertificate));
    // A name that cannot be used is a name, and does not vanish beside a good one.
    let beside = with_raw_names(&[(DNS_NAME, b"good.example"), (DNS_NAME, b"bad\0.example")]);
    assert_eq!(name(UserFrom::SanDns, &beside), Err(Reason::UnnamedCertificate));
}

#[test]
fn a_hostile_name_is_nobodys() {
    let long = "a".repeat(60);
    let too_long = format!("a:{}", "x".repeat(255));
    for (kind, bytes) in [
        (DNS_NAME, &b"alice.example\0.evil"[..]),
        (DNS_NAME, b"*.example"),
        (DNS_NAME, b"*"),
        (DNS_NAME, b""),
        (DNS_NAME, b"a..example"),
        (DNS_NAME, b"a.example."),
        (DNS_NAME, b"a b.example"),
        (DNS_NAME, b"a.example\n"),
        (DNS_NAME, "\u{e4}.example".as_bytes()),
        (DNS_NAME, b"\xff\xfe"),
        (DNS_NAME, [long.as_str(); 5].join(".").as_bytes()),
        (URI, b"spiffe://a/\0b"),
        (URI, b"spiffe://*/b"),
        (URI, b""),
        (URI, b"alice"),
        (URI, b"spiffe:"),
        (URI, b":a"),
        (URI, b"1a:b"),
        (URI, b"a b:c"),
        (URI, b"spiffe://a b"),
        (URI, b"spiffe://a\x7f"),
        (URI, "spiffe://\u{202e}a".as_bytes()),
        (URI, too_long.as_bytes()),
    ] {
        let part = if kind == URI { UserFrom::SanUri } else { UserFrom::SanDns };
        let refused = name(part, &with_raw_names(&[(kind, bytes)]));
        assert_eq!(refused, Err(Reason::InvalidCertificateName), "{:?}", String::from_utf8_lossy(bytes));
    }
}

#[test]
fn one_common_name_in_utf_8_or_printable_letters_is_the_caller_where_that_is_configured() {
    let with = |names: Vec<DnValue>| {
        let [organisation, country] = ["Example Ltd", "CN"].map(DnValue::from);
        // A set of names would keep only one of a kind: the others stand in parts of their own.
        let mut subject = vec![part(&[2, 5, 4, 6], &country), part(&[2, 5, 4, 10], &organisation)];
        subject.extend(names.iter().map(|name| part(&[2, 5, 4, 3], name)));
        with_subject(&subject.concat())
    };
    assert_eq!(name(UserFrom::SubjectCn, &with(vec!["李雷 alice".into()])).unwrap(), "李雷 alice");
    let printable = DnValue::PrintableString("svc-1".try_into().unwrap());
    assert_eq!(name(UserFrom::SubjectCn, &with(vec![printable])).unwrap(), "svc-1");
    let teletex = DnValue::TeletexString("alice".try_into().unwrap());
    for bad in [teletex.clone(), "".into(), "*".into(), "a\0b".into(), "a\nb".into(), "x".repeat(257).as_str().into()] {
        assert_eq!(name(UserFrom::SubjectCn, &with(vec![bad])), Err(Reason::InvalidCertificateName));
    }
    assert_eq!(name(UserFrom::SubjectCn, &with(vec![])), Err(Reason::UnnamedCertificate));
    for two in [vec!["a".into(), "b".into()], vec!["a".into(), teletex]] {
        assert_eq!(name(UserFrom::SubjectCn, &with(two)), Err(Reason::UnnamedCertificate));
    }
}

/// A set with one attribute, of a kind under 2.5.4.
fn part(kind: &[u8; 4], value: &DnValue) -> Vec<u8> {
    let (tag, bytes) = match value {
        DnValue::Utf8String(text) => (der::UTF8_STRING, text.as_bytes()),
        DnValue::PrintableString(text) => (der::PRINTABLE_STRING, text.as_str().as_bytes()),
        DnValue::TeletexString(text) => (0x14, text.as_str().as_bytes()),
        other => panic!("{other:?}"),
    };
    let [_, _, _, last] = kind;
    let attribute = [element(0x06, &[0x55, 0x04, *last]), element(tag, bytes)].concat();
    element(0x31, &element(0x30, &attribute))
}

/// As much of a certificate as is read, with this subject.
fn with_subject(parts: &[u8]) -> CertificateDer<'static> {
    let empty = element(0x30, &[]);
    let (version, serial) = (element(0xa0, &element(2, &[2])), element(2, &[1]));
    let signed = [&version, &serial, &empty, &empty, &empty, &element(0x30, parts), &empty].map(Vec::as_slice).concat();
    element(0x30, &[element(0x30, &signed), empty, element(3, &[0])].concat()).into()
}

#[test]
fn what_is_not_the_der_of_a_certificate_is_refused() {
    let good = with_names(vec![uri("a:b")]);
    let spoilt = |spoil: fn(&mut Vec<u8>)| {
        let mut bytes = good.to_vec();
        spoil(&mut bytes);
        CertificateDer::from(bytes)
    };
    let names = element(0x30, &element(URI, b"a:b"));
    let twice = CustomExtension::from_oid_content(&ALTERNATIVE_NAMES, names.clone());
    let trailing = CustomExtension::from_oid_content(&ALTERNATIVE_NAMES, [names, vec![0]].concat());
    for certificate in [
        CertificateDer::from(vec![]),
        CertificateDer::from(vec![0x30, 0x80, 0, 0]),
        CertificateDer::from(vec![0x30, 0x84, 0xff, 0xff, 0xff, 0xff]),
        CertificateDer::from(vec![0x30, 0x81, 0x01, 0x00]),
        CertificateDer::from(vec![0x3f, 0x01, 0x00]),
        spoilt(|bytes| bytes.push(0)),
        spoilt(|bytes| bytes.truncate(bytes.len() - 1)),
        spoilt(|bytes| bytes[0] = 0x31),
        made(|params| {
            params.subject_alt_names = vec![uri("a:b")];
            params.custom_extensions = vec![twice];
        }),
        made(|params| params.custom_extensions = vec![trailing]),
    ] {
        assert_eq!(name(UserFrom::SanUri, &certificate), Err(Reason::UnreadableCertificate));
    }
    assert_eq!(name(UserFrom::SanUri, &good).unwrap(), "a:b");
}

proptest! {
    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        for part in UserFrom::ALL {
            prop_assert!(part.caller(&bytes.clone().into()).is_err());
        }
    }

    /// One byte of a real certificate changed: never a name other than one that stands in it, and never a panic.
    #[test]
    fn a_spoilt_certificate_names_nobody_new(at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut bytes = SAMPLE.with(Clone::clone);
        let at = at.index(bytes.len());
        bytes[at] = byte;
        for part in UserFrom::ALL {
            if let Ok(name) = name(part, &bytes.clone().into()) {
                prop_assert!(bytes.windows(name.len()).any(|window| window == name.as_bytes()));
            }
        }
    }

    #[test]
    fn a_uri_that_a_library_writes_is_read_back(path in "[!-)+-~]{1,200}") {
        let text = format!("spiffe://{path}");
        let certificate = with_raw_names(&[(URI, text.as_bytes())]);
        prop_assert_eq!(name(UserFrom::SanUri, &certificate).unwrap(), text);
    }
}

thread_local! {
    static SAMPLE: Vec<u8> = with_names(vec![uri("spiffe://example.org/alice"), dns("a.example")]).to_vec();
}
