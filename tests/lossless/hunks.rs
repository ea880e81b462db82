//! Rule 2 where Notion skips a hunk whose text is gone and answers 200 for the others.

use std::sync::{Arc, Mutex};

use notion_sim::{Phase, Workspace};

use crate::common::Lab;
use crate::rests;

const BODY: &str = "Intro.\n\nAlpha one two three.\n\nBetween.\n\n- Bravo one two three\n- Middle\n\n\
                    | a | b |\n|---|---|\n| Charlie one | d |\n\nEnd.\n";

type Act = fn(&mut Workspace, &str);

/// What a person does to one of three blocks that the run writes, what is then left of it, and whether the run
/// settles it by itself.
const ACTS: &[(&str, Act, &str, bool)] = &[
    (
        "overlaps",
        |ws, page| drop(ws.edit_block(page, "Bravo", "Bravo Ada's two three")),
        "Bravo Ada's two three",
        false,
    ),
    (
        "far words",
        |ws, page| drop(ws.edit_block(page, "Bravo", "Bravo one two three, says Ada")),
        "says Ada",
        true,
    ),
    (
        "another kind",
        |ws, page| drop(ws.edit_block(page, "Alpha", "Ada's words")),
        "Ada's words",
        false,
    ),
    ("a cell", |ws, page| drop(ws.edit_block(page, "Charlie", "Ada's cell")), "Ada's cell", false),
    ("deleted", |ws, page| drop(ws.delete_block(page, "Bravo")), "Middle", false),
    (
        "beside",
        |ws, page| drop(ws.edit_block(page, "Between", "Between, says Ada.")),
        "says Ada",
        true,
    ),
];

#[test]
fn rule_2_a_hunk_that_is_skipped_is_never_taken_for_written() {
    for skip in [true, false] {
        for (name, act, left, settled) in ACTS {
            let lab = Lab::with(|options| options.skip_missing = skip);
            let repo = lab.repo("repo");
            let path = repo.story("INFRA-1", "Title", "DRAFT", BODY);
            repo.init();
            repo.run(&["sync"]).expect(0);
            lab.minutes(3);
            repo.run(&["sync"]).expect(0);
            lab.minutes(3);
            for word in ["Alpha", "Bravo", "Charlie"] {
                repo.replace(&path, &format!("{word} one"), &format!("{word} changed"));
            }
            let mine = repo.read(&path);
            let page = lab.page("Stories", "INFRA-1");
            let (act, done) = (*act, Arc::new(Mutex::new(false)));
            let (inside, at) = (Arc::clone(&done), page.clone());
            lab.sim.set_hook(Some(Box::new(move |ws, event| {
                let mut done = inside.lock().unwrap();
                let writes = event.endpoint == "PATCH /v1/pages/{id}/markdown";
                if event.phase == Phase::Before && writes && !*done {
                    *done = true;
                    act(ws, &at);
                }
            })));
            let first = repo.run(&["sync"]);
            lab.sim.set_hook(None);
            assert!(*done.lock().unwrap(), "{name}: nothing was written");
            assert!([0, 1].contains(&first.code), "{name}, {skip}: {first:?}");
            let body = lab.body("Stories", "INFRA-1");
            assert!(body.contains(left), "{name}, {skip}: {body}\n{first:?}");
            lab.minutes(3);
            let second = repo.run(&["sync"]);
            let (body, file) = (lab.body("Stories", "INFRA-1"), repo.read(&path));
            let open = second.json()["conflicts"].as_array().map_or(0, Vec::len);
            let told = format!("{name}, {skip}\n{body}\n---\n{file}\n{first:?}\n{second:?}");
            assert!(body.contains(left), "the person's words are lost: {told}");
            let words = ["Alpha", "Bravo", "Charlie"];
            let reached = words.iter().filter(|w| body.contains(&format!("{w} changed"))).count();
            let kept = words.iter().all(|word| file.contains(&format!("{word} changed")));
            assert!(kept, "the file lost its words: {told}");
            if *settled {
                assert_eq!((second.code, open, reached), (0, 0, 3), "{told}");
                assert!(file.contains(left), "{told}");
                rests(&lab, &repo);
            } else {
                assert_eq!((second.code, open, reached), (1, 1, 2), "{told}");
                assert!(!file.contains("Ada"), "{told}");
                assert_eq!(
                    file.replace("- Bravo one two three\n", "").trim_end(),
                    mine.trim_end(),
                    "{told}"
                );
            }
        }
    }
}
