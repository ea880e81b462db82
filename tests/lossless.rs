//! What comes back is what was there: formatting by hand, blocks that Markdown cannot express, anchors of comments,
//! the other half of a page in conflict.
#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

#[path = "lossless/anchors.rs"]
mod anchors;
#[path = "lossless/by_hand.rs"]
mod by_hand;
#[path = "lossless/hunks.rs"]
mod hunks;
#[path = "lossless/overlaps.rs"]
mod overlaps;
#[path = "lossless/special.rs"]
mod special;

use common::{Lab, Repo};
use notion_sim::BlockInfo;

/// A sync that works, some minutes after what happened before.
#[track_caller]
fn sync(lab: &Lab, repo: &Repo<'_>) {
    lab.minutes(3);
    repo.run(&["sync"]).expect(0);
}

/// Nothing is left to be written.
#[track_caller]
fn rests(lab: &Lab, repo: &Repo<'_>) {
    sync(lab, repo);
    repo.calm();
}

fn blocks(lab: &Lab, id: &str) -> Vec<BlockInfo> {
    let page = lab.page("Stories", id);
    lab.sim.workspace().blocks(&page)
}
