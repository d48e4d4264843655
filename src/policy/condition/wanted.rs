//! The values that a condition names, read once, and what a request has to compare with them.

use core::net::IpAddr;
use std::borrow::Cow;

use ipnet::{IpNet, Ipv4Net};
use jiff::Timestamp;

use crate::domain::Claim;
use crate::policy::glob;

/// What an operator compares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy) enum Kind {
    Text,
    /// Text, upper and lower case alike.
    AnyCase,
    /// Text that fits a pattern with `*`.
    Like,
    Number(Order),
    Time(Order),
    Bool,
    Network,
    /// Whether there is nothing.
    Absent,
}

/// On which side of the policy's value the request's has to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy) enum Order {
    Equal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

impl Order {
    /// Whether what grows without end, as time does, ends by not holding.
    pub(super) fn ends(self) -> bool {
        match self {
            Self::Equal | Self::Less | Self::LessOrEqual => true,
            Self::Greater | Self::GreaterOrEqual => false,
        }
    }

    fn holds<T: PartialOrd>(self, theirs: T, ours: T) -> bool {
        match self {
            Self::Equal => theirs == ours,
            Self::Less => theirs < ours,
            Self::LessOrEqual => theirs <= ours,
            Self::Greater => theirs > ours,
            Self::GreaterOrEqual => theirs >= ours,
        }
    }
}

/// The values of one key in a policy; one that fits is enough.
#[derive(Debug)]
pub(in crate::policy) enum Wanted {
    Text(Box<[Box<str>]>),
    AnyCase(Box<[Box<str>]>),
    Like(Box<[Box<str>]>),
    Number(Order, Box<[f64]>),
    Time(Order, Box<[Timestamp]>),
    Bool(Box<[bool]>),
    Network(Box<[IpNet]>),
    Absent(bool),
}

/// A value as a policy writes it: a string, or in TOML and JSON a number, a boolean or a time of their own.
pub(in crate::policy) type Written<'t> = Cow<'t, str>;

/// Why a value cannot be read: what would do instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy) struct Unreadable(pub(in crate::policy) &'static str);

/// A value of a request.
#[derive(Clone, Copy)]
pub(super) enum Value<'q> {
    Ip(IpAddr),
    Time(Timestamp),
    Claim(&'q Claim),
}

impl Wanted {
    /// Reads `values` as what an operator of `kind` compares.
    ///
    /// # Errors
    /// The first that is no such thing, by its place in the list.
    pub(in crate::policy) fn read(kind: Kind, values: &[Written<'_>]) -> Result<Self, (usize, Unreadable)> {
        Ok(match kind {
            Kind::Text => Self::Text(each(values, text)?),
            Kind::AnyCase => Self::AnyCase(each(values, text)?),
            Kind::Like => Self::Like(each(values, pattern)?),
            Kind::Number(order) => Self::Number(order, each(values, number)?),
            Kind::Time(order) => Self::Time(order, each(values, time)?),
            Kind::Bool => Self::Bool(each(values, boolean)?),
            Kind::Network => Self::Network(each(values, network)?),
            Kind::Absent => match each(values, boolean)?.as_ref() {
                [absent] => Self::Absent(*absent),
                _ => return Err((1, Unreadable("write one value, \"true\" for absent or \"false\" for present"))),
            },
        })
    }

    /// Whether one of the values fits; `None` if `value` is nothing that could be compared with them.
    pub(super) fn fits(&self, value: Value<'_>) -> Option<bool> {
        match self {
            Self::Text(wanted) => {
                let text = value.text()?;
                Some(wanted.iter().any(|wanted| **wanted == *text))
            }
            Self::AnyCase(wanted) => {
                let text = value.text()?;
                Some(wanted.iter().any(|wanted| same_but_for_case(wanted, &text)))
            }
            Self::Like(wanted) => {
                let text = value.text()?;
                Some(wanted.iter().any(|wanted| glob::fits(wanted, &text)))
            }
            Self::Number(order, wanted) => {
                let number = value.number()?;
                Some(wanted.iter().any(|wanted| order.holds(number, *wanted)))
            }
            Self::Time(order, wanted) => {
                let time = value.time()?;
                Some(wanted.iter().any(|wanted| order.holds(time, *wanted)))
            }
            Self::Bool(wanted) => value.boolean().map(|is| wanted.contains(&is)),
            Self::Network(wanted) => {
                let ip = value.ip()?;
                Some(wanted.iter().any(|network| network.contains(&ip)))
            }
            // Decided before there is a value.
            Self::Absent(_) => None,
        }
    }
}

/// Every value by `read`, or the first that it refuses.
fn each<T>(
    values: &[Written<'_>],
    read: impl Fn(&str) -> Result<T, Unreadable>,
) -> Result<Box<[T]>, (usize, Unreadable)> {
    values.iter().enumerate().map(|(n, value)| read(value).map_err(|why| (n, why))).collect()
}

fn text(text: &str) -> Result<Box<str>, Unreadable> {
    if text.contains("${") {
        return Err(Unreadable("variables such as `${app_id}` are replaced in resources only"));
    }
    Ok(text.into())
}

/// CAM's pages know no other wildcard than `*`: a `?` that stands for itself would surprise whoever wrote it.
fn pattern(pattern: &str) -> Result<Box<str>, Unreadable> {
    if pattern.contains('?') {
        return Err(Unreadable("`?` is no wildcard of this language: write `*`"));
    }
    text(pattern)
}

fn number(text: &str) -> Result<f64, Unreadable> {
    parsed_number(text).ok_or(Unreadable("write a number below 2^53; longer ids are texts, for `string_equal`"))
}

/// The numbers that are what they are written as: beyond, two ids could be one (RFC 8259 section 6).
const EXACT: std::ops::Range<f64> = -9_007_199_254_740_991.0..9_007_199_254_740_992.0;

fn parsed_number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number| EXACT.contains(number))
}

fn time(text: &str) -> Result<Timestamp, Unreadable> {
    text.parse().map_err(|_| Unreadable("write a time with its offset from UTC, as in `2027-01-31T00:00:00Z`"))
}

fn boolean(text: &str) -> Result<bool, Unreadable> {
    text.parse().map_err(|_| Unreadable("write \"true\" or \"false\""))
}

/// An address or a network; bits below the mask may be set, as in CAM's own examples.
fn network(text: &str) -> Result<IpNet, Unreadable> {
    let address = || text.parse::<IpAddr>().map(|ip| IpNet::from(ip.to_canonical()));
    let network = text.parse::<IpNet>().map(|network| canonical(network).trunc());
    network.or_else(|_| address()).map_err(|_| Unreadable("write an address or a network, as in `10.0.0.0/8`"))
}

/// An IPv4 network that is written as a part of `::ffff:0:0/96`: requests' addresses are never written so.
fn canonical(network: IpNet) -> IpNet {
    let IpNet::V6(six) = network else { return network };
    let four = six.addr().to_ipv4_mapped().zip(six.prefix_len().checked_sub(96));
    four.and_then(|(address, bits)| Ipv4Net::new(address, bits).ok()).map_or(network, IpNet::V4)
}

fn same_but_for_case(a: &str, b: &str) -> bool {
    let lower = |text: &str| text.chars().flat_map(char::to_lowercase).collect::<Vec<_>>();
    a.eq_ignore_ascii_case(b) || (!(a.is_ascii() && b.is_ascii()) && lower(a) == lower(b))
}

impl<'q> Value<'q> {
    fn text(self) -> Option<Cow<'q, str>> {
        match self {
            Self::Claim(Claim::Text(text)) => Some(Cow::Borrowed(text)),
            Self::Claim(Claim::Number(number)) => Some(Cow::Owned(number.to_string())),
            Self::Claim(Claim::Bool(is)) => Some(Cow::Borrowed(if *is { "true" } else { "false" })),
            Self::Claim(Claim::List(_) | Claim::Other) | Self::Ip(_) | Self::Time(_) => None,
        }
    }

    fn number(self) -> Option<f64> {
        match self {
            Self::Claim(Claim::Number(number)) => Some(*number),
            Self::Claim(Claim::Text(text)) => parsed_number(text),
            Self::Claim(Claim::Bool(_) | Claim::List(_) | Claim::Other) | Self::Ip(_) | Self::Time(_) => None,
        }
    }

    /// Numbers are seconds since 1970, as `exp` and its like are (RFC 7519 section 2).
    fn time(self) -> Option<Timestamp> {
        match self {
            Self::Time(time) => Some(time),
            Self::Claim(Claim::Text(text)) => text.parse().ok(),
            Self::Claim(Claim::Number(seconds)) => {
                let since = jiff::SignedDuration::try_from_secs_f64(*seconds).ok()?;
                Timestamp::from_duration(since).ok()
            }
            Self::Claim(Claim::Bool(_) | Claim::List(_) | Claim::Other) | Self::Ip(_) => None,
        }
    }

    fn boolean(self) -> Option<bool> {
        match self {
            Self::Claim(Claim::Bool(is)) => Some(*is),
            Self::Claim(Claim::Text(text)) => text.parse().ok(),
            Self::Claim(Claim::Number(_) | Claim::List(_) | Claim::Other) | Self::Ip(_) | Self::Time(_) => None,
        }
    }

    fn ip(self) -> Option<IpAddr> {
        match self {
            Self::Ip(ip) => Some(ip),
            Self::Claim(Claim::Text(text)) => text.parse::<IpAddr>().ok().map(|ip| ip.to_canonical()),
            Self::Claim(Claim::Number(_) | Claim::Bool(_) | Claim::List(_) | Claim::Other) | Self::Time(_) => None,
        }
    }
}
