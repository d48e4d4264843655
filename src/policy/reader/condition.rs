//! The `condition` of a statement: `{ operator: { key: value or [values] } }`.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use super::super::condition::{Condition, Key, Kind, Operator, Test, Unreadable, Wanted, Written};
use super::super::document::{Field, Node, Value};
use super::super::findings::{Flaw, Unusable, quoted};
use super::super::review::Weight;
use super::super::statement::instant;
use super::Reader;
use super::parts::Standing;

const VALUES: &str = "write a value or a list of values, as in `[\"10.0.0.0/8\"]`";

impl<'t> Reader<'_, '_, 't> {
    /// The condition; `Some(None)` if it asks nothing, `None` if a part of it cannot be used.
    pub(super) fn condition(&mut self, node: Node<'t>, standing: Standing) -> Option<Option<Box<Condition>>> {
        let (mut tests, mut usable) = (Vec::new(), true);
        // CAM exports empty ones; whoever writes one here has perhaps forgotten what it should ask.
        if standing == Standing::Own && is_empty(&node) {
            let flaw = Flaw::new("`condition` asks nothing", "remove it, or write what it should ask");
            self.findings.remark(node.at, Weight::Warning, flaw);
        }
        for Field { key, at, node } in node.fields("condition", self.findings) {
            let operator = self.usable(at, standing, Operator::parse(&key));
            if is_empty(&node) {
                let what = format!("{} compares nothing", quoted(&key));
                self.findings.add(at, Flaw::new(what, "write a key and its values, or remove it"));
            }
            let fields = node.fields(&key, self.findings);
            for field in fields {
                let test = operator.and_then(|operator| self.test(operator, field, standing));
                usable &= test.is_some();
                tests.extend(test);
            }
            usable &= operator.is_some();
        }
        usable.then(|| (!tests.is_empty()).then(|| Box::new(Condition::new(tests))))
    }

    fn test(&mut self, operator: Operator, field: Field<'t>, standing: Standing) -> Option<Test> {
        let Field { key, at, node } = field;
        let name = key;
        let key = self.usable(at, standing, Key::parse(&name))?;
        let kind = self.usable(at, standing, operator.kind_for(&key))?;
        let at = node.at;
        let values = self.written(node, &name)?;
        if values.is_empty() {
            self.findings.add(at, Flaw::new(format!("the list of {} is empty", quoted(&name)), VALUES));
            return None;
        }
        let (places, values): (Vec<usize>, Vec<Written<'t>>) = values.into_iter().unzip();
        let values: Vec<Written<'t>> = match (standing, kind) {
            (Standing::Attached(_), Kind::Time(_)) => values.into_iter().map(in_utc).collect(),
            (Standing::Own | Standing::Attached(_), _) => values,
        };
        let unreadable = |(n, Unreadable(hint)): (usize, Unreadable)| {
            let value = values.get(n).map(|value| quoted(value)).unwrap_or_default();
            (
                places.get(n).copied().unwrap_or(at),
                Flaw::new(format!("{value} cannot be compared by `{operator}`"), hint),
            )
        };
        let wanted = match Wanted::read(kind, &values).map_err(unreadable) {
            Ok(wanted) => wanted,
            Err((at, flaw)) => return self.usable(at, standing, Err(Unusable::Wrong(flaw))),
        };
        let mut shown: Vec<String> = values.iter().map(|value| format!("{:?}", &**value)).collect();
        shown.sort_unstable();
        Some(Test::new(operator, key, wanted, &shown.join(", ")))
    }

    /// The values as they are written: one alone, or a list.
    fn written(&mut self, node: Node<'t>, key: &str) -> Option<Vec<(usize, Written<'t>)>> {
        match node.value {
            Value::List(items) => items.into_iter().map(|item| self.one_written(item, key)).collect(),
            value => Some(vec![self.one_written(Node { at: node.at, value }, key)?]),
        }
    }

    fn one_written(&mut self, node: Node<'t>, key: &str) -> Option<(usize, Written<'t>)> {
        let written = match &node.value {
            Value::Text(text) => Some(text.clone()),
            Value::Number(number) => Some(number.clone()),
            Value::Bool(yes) => Some(Written::Borrowed(if *yes { "true" } else { "false" })),
            Value::Time(time) => instant(time).map(|time| Written::Owned(time.to_string())),
            Value::List(_) | Value::Table(_) | Value::Other(_) => None,
        };
        if written.is_none() {
            let flaw = match node.value {
                Value::Time(_) => Flaw::new("a time without its offset from UTC", "write `2027-01-31T00:00:00Z`"),
                _ => node.instead_of(key, "a value that can be compared", VALUES),
            };
            self.findings.add(node.at, flaw);
        }
        Some((node.at, written?))
    }
}

/// A time as CAM writes it, which has no offset because it is UTC.
/// Source: <https://cloud.tencent.com/document/product/598/73088>.
fn in_utc(written: Written<'_>) -> Written<'_> {
    if written.parse::<Timestamp>().is_ok() {
        return written;
    }
    let time = written.parse::<DateTime>().and_then(|time| time.to_zoned(TimeZone::UTC));
    time.map_or(written, |time| Written::Owned(time.timestamp().to_string()))
}

fn is_empty(node: &Node<'_>) -> bool {
    matches!(&node.value, Value::Table(fields) if fields.is_empty())
}
