//! The command line of agent-sync: parse, call, map the outcome to an exit code.
fn main() {}
