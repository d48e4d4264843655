//! How wide the terminal is, and which columns of a table fit in.

use std::io::IsTerminal;

use crate::cli::paper::Cell;

/// Between two columns.
const GAP: usize = 2;

/// The columns of standard output, if it is a terminal.
pub(super) fn width() -> Option<usize> {
    let stdout = std::io::stdout();
    if !stdout.is_terminal() {
        return None;
    }
    rustix::termios::tcgetwinsize(&stdout).ok().map(|size| usize::from(size.ws_col)).filter(|width| *width > 0)
}

/// The rows without the columns for which there is no room; those in `dispensable` go first, in that order.
pub(super) fn fitted(mut rows: Vec<Vec<Cell>>, width: usize, dispensable: &[&str]) -> Vec<Vec<Cell>> {
    for title in dispensable {
        if needed(&rows) <= width {
            break;
        }
        let column = rows.first().and_then(|titles| titles.iter().position(|(_, text)| text == title));
        if let Some(column) = column {
            rows.iter_mut().for_each(|row| drop(row.remove(column)));
        }
    }
    rows
}

fn needed(rows: &[Vec<Cell>]) -> usize {
    let columns = rows.first().map_or(0, Vec::len);
    let longest =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(|(_, text)| text.chars().count()).max();
    (0..columns).map(|column| longest(column).unwrap_or(0) + GAP).sum::<usize>().saturating_sub(GAP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::paper::Ink;

    #[test]
    fn columns_go_in_their_order_until_the_rest_fits() {
        let row = |cells: [&str; 3]| cells.map(|text| (Ink::Plain, text.to_owned())).to_vec();
        let rows = vec![row(["a", "b", "c"]), row(["12345", "12345", "12345"])];
        let titles = |width| {
            let rows = fitted(rows.clone(), width, &["b", "x", "a"]);
            rows[0].iter().map(|(_, text)| text.clone()).collect::<String>()
        };
        assert_eq!([19, 18, 12, 11, 5, 1].map(titles), ["abc", "ac", "ac", "c", "c", "c"]);
    }
}
