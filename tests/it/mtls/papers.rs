//! Client certificates, good and bad.

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa,
    NameConstraints, SanType, date_time_ymd,
};

use crate::support::process::{Authority, Paper};

pub(super) const ALICE: &str = "spiffe://example.org/alice";
/// Of certificates that are revoked sooner or later.
pub(super) const SERIAL: u64 = 7;

pub(super) fn uri(text: &str) -> SanType {
    SanType::URI(text.try_into().unwrap())
}

pub(super) fn dns(text: &str) -> SanType {
    SanType::DnsName(text.try_into().unwrap())
}

/// What alice's certificate is made of, but for `change`.
pub(super) fn params(change: impl FnOnce(&mut CertificateParams)) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![uri(ALICE)];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    params.serial_number = Some(100.into());
    change(&mut params);
    params
}

pub(super) fn named(names: Vec<SanType>) -> CertificateParams {
    params(|params| params.subject_alt_names = names)
}

/// An extension of alternative names with one name of this tag.
pub(super) fn raw_name(tag: u8, name: &[u8]) -> CertificateParams {
    let short = |length: usize| u8::try_from(length).unwrap();
    let content = [&[0x30, short(name.len() + 2), tag, short(name.len())][..], name].concat();
    params(|params| {
        params.subject_alt_names = Vec::new();
        params.custom_extensions = vec![CustomExtension::from_oid_content(&[2, 5, 29, 17], content)];
    })
}

/// An authority and others below it, good and bad, each with a list of revocations but the last.
pub(super) struct Tree {
    pub(super) authority: Authority,
    between: Authority,
    /// It has no right to make certificates.
    no_authority: Authority,
    expired: Authority,
    /// It may give names below `good.example` alone.
    constrained: Authority,
    unlisted: Authority,
}

impl Tree {
    pub(super) fn new() -> Self {
        let authority = Authority::new();
        // Each has a name of its own, by which its list of revocations is found.
        let below = |name: &str, change: fn(&mut CertificateParams)| {
            let mut params = CertificateParams::new(Vec::new()).unwrap();
            params.distinguished_name.push(DnType::CommonName, name);
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
            change(&mut params);
            authority.below(params)
        };
        let permitted = |params: &mut CertificateParams| {
            let permitted_subtrees = vec![GeneralSubtree::DnsName("good.example".to_owned())];
            params.name_constraints = Some(NameConstraints { permitted_subtrees, excluded_subtrees: Vec::new() });
        };
        Self {
            between: below("between", |_| ()),
            no_authority: below("no authority", |params| params.is_ca = IsCa::ExplicitNoCa),
            expired: below("expired", |params| params.not_after = date_time_ymd(2021, 1, 1)),
            constrained: below("constrained", permitted),
            unlisted: below("unlisted", |_| ()),
            authority,
        }
    }

    pub(super) fn lists(&self) -> String {
        let lists =
            [&self.between, &self.no_authority, &self.expired, &self.constrained].map(|a| a.revoking(&[], 4000));
        format!("{}{}", self.authority.revoking(&[SERIAL], 4000), lists.concat())
    }

    pub(super) fn good(&self) -> Vec<Paper> {
        vec![
            self.authority.paper(params(|_| ())),
            through(&self.between, params(|_| ())),
            through(&self.constrained, named(vec![uri(ALICE), dns("a.good.example")])),
        ]
    }

    /// What is wrong with each, and how the log says it.
    pub(super) fn bad(&self) -> Vec<(&'static str, &'static str, Paper)> {
        let of = |change: fn(&mut CertificateParams)| self.authority.paper(params(change));
        let unknown_and_critical = |params: &mut CertificateParams| {
            let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
            extension.set_criticality(true);
            params.custom_extensions = vec![extension];
        };
        let for_servers =
            |params: &mut CertificateParams| params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let wrong_name = named(vec![uri(ALICE), dns("a.bad.example")]);
        vec![
            ("expired", "certificate expired", of(|params| params.not_after = date_time_ymd(2021, 1, 1))),
            ("not yet valid", "not valid yet", of(|params| params.not_before = date_time_ymd(3999, 1, 1))),
            ("of another authority of that name", "BadSignature", Authority::new().paper(params(|_| ()))),
            ("of nobody", "BadSignature", Paper::of_nobody(params(|_| ()))),
            ("with a signature that does not hold", "BadSignature", of(|_| ()).forged()),
            ("for servers alone", "does not allow extended key usage", of(for_servers)),
            ("revoked", "Revoked", of(|params| params.serial_number = Some(SERIAL.into()))),
            ("with a critical extension that nobody knows", "UnsupportedCriticalExtension", of(unknown_and_critical)),
            ("without what stands between", "UnknownIssuer", self.between.paper(params(|_| ()))),
            ("through one that is no authority", "EndEntityUsedAsCa", through(&self.no_authority, params(|_| ()))),
            ("through an expired authority", "certificate expired", through(&self.expired, params(|_| ()))),
            (
                "with a name that its authority may not give",
                "NameConstraintViolation",
                through(&self.constrained, wrong_name),
            ),
            (
                "of an authority without a list of revocations",
                "UnknownRevocationStatus",
                through(&self.unlisted, params(|_| ())),
            ),
        ]
    }
}

pub(super) fn through(between: &Authority, params: CertificateParams) -> Paper {
    between.paper(params).through(between)
}
