//! What `dev` prints.

use std::fmt::Display;
use std::io::{IsTerminal, Write};

use serde_json::{Map, Value};

use super::call::Called;
use super::world::{CALLER, World};
use crate::config::no_colour;

/// Whether standard error takes colour.
pub(super) fn colour() -> bool {
    std::io::stderr().is_terminal() && !no_colour()
}

/// For `--once`: the JSON of the answer, and nothing else.
pub(super) fn answer_alone(called: &Called) {
    print(format_args!("{:#}\n", called.answer));
}

/// For programs: one line.
pub(super) fn as_json(world: &World, called: &Called) {
    let mut told = what_happened(world, called);
    told.insert("token".to_owned(), world.token().into());
    told.insert("curl".to_owned(), curl(world, called).into());
    print(format_args!("{}\n", Value::Object(told)));
}

/// For programs that run `--once`: one line, without the token that nobody takes any more.
pub(super) fn once_as_json(world: &World, called: &Called) {
    print(format_args!("{}\n", Value::Object(what_happened(world, called))));
}

fn what_happened(world: &World, called: &Called) -> Map<String, Value> {
    let address = |address| Value::from(format!("http://{address}"));
    Map::from_iter(
        [
            ("gateway", address(world.gateway().address())),
            ("admin", address(world.gateway().admin_address())),
            ("stand_in", address(world.stand_in_address())),
            ("caller", CALLER.into()),
            ("answer", called.answer.clone()),
        ]
        .map(|(name, value)| (name.to_owned(), value)),
    )
}

/// For people: what runs where, what was called, what came back, and a line to paste.
pub(super) fn for_people(world: &World, called: &Called) {
    let painted = std::io::stdout().is_terminal() && !no_colour();
    let (bold, dim, green, red, plain) =
        if painted { ("\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[0m") } else { ("", "", "", "", "") };
    let (gateway, admin, stand_in) =
        (world.gateway().address(), world.gateway().admin_address(), world.stand_in_address());
    let mark = if called.is_success() { green } else { red };
    print(format_args!(
        "\n{bold}ci-gateway {version}{plain}  {dim}development: loopback only, keys made for this run{plain}\n\n\
         \x20 gateway    http://{gateway}    {dim}what callers see{plain}\n\
         \x20 admin      http://{admin}    {dim}/metrics /readyz /config{plain}\n\
         \x20 stand-in   http://{stand_in}   {dim}a model of Cloud Infinite; it verified the signature{plain}\n\
         \x20 policy     {dim}group:developers may use Smart Audio on every bucket but prod-*{plain}\n\n\
         {bold}POST {path}{plain}  {dim}as {CALLER}, of developers{plain}\n\
         {mark}{status}{plain}\n{answer:#}\n\n\
         {bold}Paste this{plain}  {dim}(the token holds for 12 hours; try prod-1234567890 too){plain}\n\n{curl}\n\n\
         {dim}Serving. Ctrl-C stops.{plain}\n",
        version = env!("CARGO_PKG_VERSION"),
        path = called.path,
        status = called.status,
        answer = called.answer,
        curl = curl(world, called),
    ));
}

fn curl(world: &World, called: &Called) -> String {
    let url = format!("http://{}{}", world.gateway().address(), called.path);
    format!("curl -sS -X POST {url} -H 'Authorization: Bearer {}'", world.token())
}

fn print(text: impl Display) {
    // Whoever closed the pipe does not want to read on.
    let mut stdout = std::io::stdout().lock();
    let _printed = write!(stdout, "{text}").and_then(|()| stdout.flush());
}
