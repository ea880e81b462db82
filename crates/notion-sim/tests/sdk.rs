//! The simulator's honesty: Notion's own JavaScript SDK drives it. Needs `node` and `npm`, and fails without them.

use std::path::Path;
use std::process::Command;

use notion_sim::{Options, Server};

#[allow(clippy::unwrap_used, unreachable_pub, reason = "a test fails where it cannot go on")]
#[path = "../../../tests/common/npm.rs"]
mod npm;

#[test]
fn the_official_sdk_works_against_the_simulator() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sdk");
    npm::install(&folder, &folder);
    let options = Options::default();
    let token = options.token.clone();
    let server = Server::start(options).unwrap();
    let ran = Command::new("node")
        .args(["--test", "sdk.test.mjs"])
        .current_dir(&folder)
        .env("SIM_URL", server.url())
        .env("SIM_TOKEN", token)
        .env("SIM_PARENT", server.parent_page())
        .output()
        .expect("node must be installed to test the simulator");
    assert!(
        ran.status.success(),
        "{}\n{}",
        String::from_utf8_lossy(&ran.stdout),
        String::from_utf8_lossy(&ran.stderr)
    );
}
