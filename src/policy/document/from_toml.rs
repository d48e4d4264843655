//! The tree of a TOML file.

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Field, Findings, Flaw, Node, Value};

const HINT: &str =
    "texts stand in double quotes, each key once in its table; a policy in JSON has a name that ends in .json";

pub(super) fn read<'t>(text: &'t str, findings: &mut Findings<'_>) -> Option<Node<'t>> {
    match DeTable::parse(text) {
        Ok(root) => Some(Node { at: 0, value: table(root.into_inner()) }),
        Err(why) => {
            let flaw = Flaw::new(format!("not TOML: {}", why.message()), HINT);
            findings.add(why.span().map_or(0, |span| span.start), flaw);
            None
        }
    }
}

/// The recursion ends: the parser refuses to nest deeper than 80.
fn node(value: Spanned<DeValue<'_>>) -> Node<'_> {
    let at = value.span().start;
    let value = match value.into_inner() {
        DeValue::String(text) => Value::Text(text),
        DeValue::Datetime(time) => Value::Time(time),
        DeValue::Array(items) => Value::List(items.into_iter().map(node).collect()),
        DeValue::Table(fields) => table(fields),
        DeValue::Integer(number) => match i64::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Value::Number(number.to_string().into()),
            Err(_) => Value::Other("a number out of range"),
        },
        DeValue::Float(number) => Value::Number(number.as_str().to_owned().into()),
        DeValue::Boolean(yes) => Value::Bool(yes),
    };
    Node { at, value }
}

fn table(fields: DeTable<'_>) -> Value<'_> {
    let field =
        |(key, value): (Spanned<_>, _)| Field { at: key.span().start, key: key.into_inner(), node: node(value) };
    Value::Table(fields.into_iter().map(field).collect())
}
