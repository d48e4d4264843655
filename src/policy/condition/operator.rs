//! The names of the operators: `for_any_value:string_not_equal_if_exist` taken apart.

use std::fmt;

use crate::domain::nearest;
use crate::policy::findings::{Flaw, Unusable, quoted};

use super::key::Key;
use super::wanted::{Kind, Order};

const ALL_VALUES: &str = "for_all_value:";
const ANY_VALUE: &str = "for_any_value:";
const IF_EXIST: &str = "_if_exist";

/// Every operator, what it compares, and whether it is the opposite of that.
const OPERATORS: [(&str, Kind, bool); 21] = [
    ("string_equal", Kind::Text, false),
    ("string_not_equal", Kind::Text, true),
    ("string_equal_ignore_case", Kind::AnyCase, false),
    ("string_not_equal_ignore_case", Kind::AnyCase, true),
    ("string_like", Kind::Like, false),
    ("string_not_like", Kind::Like, true),
    ("numeric_equal", Kind::Number(Order::Equal), false),
    ("numeric_not_equal", Kind::Number(Order::Equal), true),
    ("numeric_less_than", Kind::Number(Order::Less), false),
    ("numeric_less_than_equal", Kind::Number(Order::LessOrEqual), false),
    ("numeric_greater_than", Kind::Number(Order::Greater), false),
    ("numeric_greater_than_equal", Kind::Number(Order::GreaterOrEqual), false),
    ("date_equal", Kind::Time(Order::Equal), false),
    ("date_not_equal", Kind::Time(Order::Equal), true),
    ("date_less_than", Kind::Time(Order::Less), false),
    ("date_less_than_equal", Kind::Time(Order::LessOrEqual), false),
    ("date_greater_than", Kind::Time(Order::Greater), false),
    ("date_greater_than_equal", Kind::Time(Order::GreaterOrEqual), false),
    ("bool_equal", Kind::Bool, false),
    ("ip_equal", Kind::Network, false),
    ("ip_not_equal", Kind::Network, true),
];
const NULL: &str = "null_equal";
/// CAM has it for keys with bytes; no key here has any.
const BINARY: &str = "binary_equal";

/// How many of the request's values have to fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Quantifier {
    /// One that fits is enough; for an opposite, one that fits is too many.
    None,
    AllValues,
    AnyValue,
}

/// An operator with its prefix and suffix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::policy) struct Operator {
    name: &'static str,
    kind: Kind,
    pub(super) negated: bool,
    pub(super) if_exist: bool,
    pub(super) quantifier: Quantifier,
}

impl Operator {
    /// # Errors
    /// With the nearest known name.
    pub(in crate::policy) fn parse(text: &str) -> Result<Self, Unusable> {
        let (quantifier, rest) = match (text.strip_prefix(ALL_VALUES), text.strip_prefix(ANY_VALUE)) {
            (Some(rest), _) => (Quantifier::AllValues, rest),
            (_, Some(rest)) => (Quantifier::AnyValue, rest),
            (None, None) => (Quantifier::None, text),
        };
        let (if_exist, rest) = rest.strip_suffix(IF_EXIST).map_or((false, rest), |rest| (true, rest));
        if let Some((name, kind, negated)) = OPERATORS.into_iter().find(|(name, ..)| *name == rest) {
            return Ok(Self { name, kind, negated, if_exist, quantifier });
        }
        match (rest, text == NULL) {
            (_, true) => Ok(Self { name: NULL, kind: Kind::Absent, negated: false, if_exist, quantifier }),
            (NULL, false) => Err(Unusable::Wrong(Flaw::new(
                format!("{} makes no sense: `{NULL}` asks whether there is a value at all", quoted(text)),
                "write `null_equal` without a prefix or suffix",
            ))),
            (BINARY, false) => Err(Unusable::Unclear(Flaw::new(
                format!("the operator {} is not evaluated here: no key has bytes", quoted(text)),
                "compare texts with `string_equal`",
            ))),
            (_, false) => Err(Unusable::Wrong(unknown(text))),
        }
    }

    /// What its values are to be read as, for `key`.
    ///
    /// # Errors
    /// If it can never compare what the key has.
    pub(in crate::policy) fn kind_for(&self, key: &Key) -> Result<Kind, Unusable> {
        let fits = match key {
            Key::Ip => matches!(self.kind, Kind::Network | Kind::Absent),
            Key::CurrentTime => matches!(self.kind, Kind::Time(_) | Kind::Absent),
            Key::Claim(_) => true,
        };
        if fits {
            return Ok(self.kind);
        }
        let hint = match key {
            Key::CurrentTime => "it is a time: use `date_less_than` and its like",
            Key::Ip | Key::Claim(_) => "it is an address: use `ip_equal` or `ip_not_equal`",
        };
        Err(Unusable::Unclear(Flaw::new(format!("`{key}` cannot be compared by `{}`", self.name), hint)))
    }
}

/// A hint keeps prefix and suffix: without them the operator would mean something else.
fn unknown(text: &str) -> Flaw {
    let names = OPERATORS.iter().map(|(name, ..)| *name);
    let spellings = names.flat_map(|name| {
        ["", ALL_VALUES, ANY_VALUE]
            .into_iter()
            .flat_map(move |prefix| ["", IF_EXIST].map(|suffix| [prefix, name, suffix].concat()))
    });
    let known: Vec<String> = spellings.chain([NULL.to_owned()]).collect();
    let what = format!("unknown condition operator {}", quoted(text));
    match nearest(text, known.iter().map(String::as_str)) {
        Some(known) => Flaw::new(what, format!("did you mean `{known}`?")),
        None => {
            let names: Vec<String> = OPERATORS.iter().map(|(name, ..)| quoted(name)).collect();
            let hint = format!(
                "known here: {}, `{NULL}`; before them `{ALL_VALUES}` or `{ANY_VALUE}`, after them `{IF_EXIST}`",
                names.join(", ")
            );
            Flaw::new(what, hint)
        }
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.quantifier {
            Quantifier::None => "",
            Quantifier::AllValues => ALL_VALUES,
            Quantifier::AnyValue => ANY_VALUE,
        })?;
        f.write_str(self.name)?;
        f.write_str(if self.if_exist { IF_EXIST } else { "" })
    }
}
