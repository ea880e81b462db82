//! The simulator as a program: it says where it is and ends when told to.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

#[test]
fn it_prints_what_a_client_needs_and_stops_on_sigterm() {
    let parent = "0123456789abcdef0123456789abcdef";
    let mut child = Command::new(env!("CARGO_BIN_EXE_notion-sim"))
        .args(["--token", "secret", "--parent-page", parent, "--rate", "180"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines: Vec<String> =
        BufReader::new(child.stdout.take().unwrap()).lines().take(4).map(Result::unwrap).collect();
    assert!(lines[0].starts_with("NOTION_API_URL=http://127.0.0.1:"), "{lines:?}");
    assert_eq!(lines[1], "NOTION_PARENT_PAGE_ID=01234567-89ab-cdef-0123-456789abcdef");
    assert_eq!(lines[2], "NOTION_TOKEN=secret");
    let stopped = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(stopped.success());
    assert!(child.wait().unwrap().success());
}
