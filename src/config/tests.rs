//! The whole reader, from text to values or mistakes; and that the documentation says what the reader does.

mod callers;
mod documentation;
mod mistakes;
mod precedence;

use super::*;

/// What nobody can leave out, with room for sections below it.
const LEAST: &str = "[policy]\nfile = 'policy.json'\n[[auth.jwt]]\nissuer = 'https://i'\naudience = 'a'\n\
                     algorithms = ['RS256']\njwks_file = 'keys.json'\n";

fn parse_with(text: &str, environment: &[(&str, &str)]) -> Result<Config, Mistakes> {
    let environment = environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    Config::parse(text, "gw.toml", Path::new("/etc/gw"), environment)
}

fn parse(text: &str) -> Result<Config, Mistakes> {
    parse_with(text, &[])
}

/// [`LEAST`] and more.
fn with(more: &str) -> Result<Config, Mistakes> {
    parse(&format!("{LEAST}{more}"))
}
