//! Command line in, exit status out; everything else is the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    ci_gateway::cli::main()
}
