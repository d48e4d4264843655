//! The whole gateway against a pass-through proxy on the same client and runtime; `cargo bench --bench whole_process`.
//!
//! One program in several roles, each a process of its own on loopback: this one starts and measures the others,
//! `stub` is the cloud, `pass-through` forwards and does nothing else, `load` keeps 64 connections busy. The gateway is
//! the program itself as `cargo build --release` makes it. Each measurement has a fresh server, and the servers take
//! turns, so that whatever else the machine does meets all of them: compare the ratios, not the microseconds.
//!
//! After `--`: `--rounds N` and `--seconds N` for longer runs, `--json` for one JSON object a server instead.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::allow_attributes,
    reason = "a bench may be blunt"
)]

#[path = "whole_process/exchange.rs"]
mod exchange;
#[path = "whole_process/load.rs"]
mod load;
#[path = "whole_process/measure.rs"]
mod measure;
#[path = "whole_process/pass_through.rs"]
mod pass_through;
#[path = "whole_process/process.rs"]
mod process;
#[path = "whole_process/stub.rs"]
mod stub;
#[path = "whole_process/table.rs"]
mod table;
#[path = "whole_process/world.rs"]
mod world;

use std::time::Duration;

use measure::{Plan, measure};
use world::{Server, World};

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["stub", address] => stub::run(address.parse().unwrap()),
        ["pass-through", address, upstream] => pass_through::run(address.parse().unwrap(), upstream.parse().unwrap()),
        ["load", address, seconds] => load::run(address.parse().unwrap(), seconds.parse().unwrap()),
        // Without it this is `cargo test --benches`, which only wants to know that the program starts.
        words if words.contains(&"--bench") => compare(words),
        _ => println!("nothing measured: start it with `cargo bench --bench whole_process`"),
    }
}

fn compare(words: &[&str]) {
    let plan = Plan {
        rounds: number_after(words, "--rounds").unwrap_or(5),
        warm_up: 1,
        seconds: number_after(words, "--seconds").unwrap_or(3),
    };
    let world = World::start();
    let results = measure(&world, &Server::ALL, &plan, Duration::from_secs(10));
    if words.contains(&"--json") {
        table::print_json(&results);
    } else {
        table::print(&results, &plan, world.pinned());
    }
}

fn number_after(words: &[&str], name: &str) -> Option<u32> {
    let place = words.iter().position(|word| *word == name)?;
    Some(words.get(place + 1)?.parse().unwrap())
}
