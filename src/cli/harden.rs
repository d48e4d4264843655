//! What the process gives up before it holds a key.

use rustix::process::{DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit};

/// No core dump, no reading of the memory by other processes of the same user, and as many files as are allowed.
///
/// A system that refuses one of these says so in the log; the gateway serves all the same, because a container's
/// own rules may forbid what they already enforce.
pub(super) fn harden() {
    let no_core = Rlimit { current: Some(0), maximum: Some(0) };
    report("core dumps cannot be ruled out", setrlimit(Resource::Core, no_core));
    report("the memory cannot be closed to debuggers", set_dumpable_behavior(DumpableBehavior::NotDumpable));
    let files = getrlimit(Resource::Nofile);
    let all = Rlimit { current: files.maximum, maximum: files.maximum };
    report("the limit of open files cannot be raised", setrlimit(Resource::Nofile, all));
}

fn report(what: &'static str, result: rustix::io::Result<()>) {
    if let Err(why) = result {
        tracing::warn!(error = %why, "{what}");
    }
}
