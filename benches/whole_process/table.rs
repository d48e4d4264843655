//! The results, for people and for programs.

use serde_json::json;

use super::load::CONNECTIONS;
use super::measure::{Plan, Run};

type Results = [(&'static str, Vec<Run>)];

/// A table with a row a server; the first one is what the others are compared with.
pub(crate) fn print(results: &Results, plan: &Plan, pinned: bool) {
    let place = if pinned {
        "the server alone on core 1, load and stub on core 0"
    } else {
        "nothing pinned (no taskset, or one core)"
    };
    println!(
        "\nSaturation: closed loop, {CONNECTIONS} connections; {} interleaved rounds of {} s; {place}.\n\
         Medians (least-most); the ratio is the median of the rounds' own ratios. busy: the server, % of one core.\n",
        plan.rounds, plan.seconds
    );
    println!("| server | CPU µs/request | ratio | requests/s | busy | RSS idle / loaded MiB | ready ms | bad |");
    println!("|---|--:|--:|--:|--:|--:|--:|--:|");
    for (name, runs) in results {
        println!(
            "| {name} | {} | {} | {:.0} | {:.0} % | {:.1} / {:.1} | {} | {:.0} |",
            spread(runs, Run::cpu_us_per_request, 1),
            shown(ratios(results, runs), 2),
            median(each(runs, Run::requests_per_second)),
            median(each(runs, Run::busy)),
            median(each(runs, |run| run.idle_mib)),
            median(each(runs, |run| run.loaded_mib)),
            spread(runs, |run| run.ready_ms, 0),
            each(runs, |run| run.bad).iter().sum::<f64>(),
        );
    }
}

/// One JSON object a line: the medians of a server.
pub(crate) fn print_json(results: &Results) {
    for (name, runs) in results {
        let object = json!({
            "server": name,
            "cpu_us_per_request": median(each(runs, Run::cpu_us_per_request)),
            "ratio": median(ratios(results, runs)),
            "requests_per_second": median(each(runs, Run::requests_per_second)),
            "idle_mib": median(each(runs, |run| run.idle_mib)),
            "loaded_mib": median(each(runs, |run| run.loaded_mib)),
            "ready_ms": median(each(runs, |run| run.ready_ms)),
            "bad": each(runs, |run| run.bad).iter().sum::<f64>(),
        });
        println!("{object}");
    }
}

/// Round by round, so that a busy minute of the machine cancels out.
fn ratios(results: &Results, runs: &[Run]) -> Vec<f64> {
    let base = &results[0].1;
    runs.iter().zip(base).map(|(run, base)| run.cpu_us_per_request() / base.cpu_us_per_request()).collect()
}

fn each(runs: &[Run], of: impl Fn(&Run) -> f64) -> Vec<f64> {
    runs.iter().map(of).collect()
}

fn spread(runs: &[Run], of: impl Fn(&Run) -> f64, digits: usize) -> String {
    shown(each(runs, of), digits)
}

fn shown(mut values: Vec<f64>, digits: usize) -> String {
    values.sort_by(f64::total_cmp);
    let (least, most) = (values[0], values[values.len() - 1]);
    format!("{:.digits$} ({least:.digits$}-{most:.digits$})", median(values))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}
