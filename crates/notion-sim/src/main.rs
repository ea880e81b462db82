//! notion-sim
fn main() {}
