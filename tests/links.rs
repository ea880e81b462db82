//! Links and images between documents, into the repository, and to nowhere (design §6 "Links").
#![allow(clippy::unwrap_used, reason = "a test fails where it cannot go on")]

mod common;

use common::{Lab, Repo, story};

const WEB: &str = "https://github.com/org/repo";

fn url(lab: &Lab, id: &str) -> String {
    format!("https://app.notion.com/p/{}", lab.page("Stories", id).replace('-', ""))
}

fn with_web(repo: &mut Repo<'_>) {
    repo.env.insert("GITHUB_REPOSITORY".to_owned(), "org/repo".to_owned());
}

/// Files that link to each other by file name, in one folder: (id, linked ids).
fn stories(repo: &Repo<'_>, links: &[(&str, &[&str])]) {
    for (id, to) in links {
        let link = |to: &&str| format!("See [{to} *here*]({to}-t.md#why) for more.\n\n");
        let body: String = to.iter().map(link).collect();
        repo.story(id, "T", "DRAFT", &format!("## Why\n\nOf {id}.\n\n{body}"));
    }
}

fn path(id: &str) -> String {
    format!(".agent/cache/stories/A/{id}-t.md")
}

/// Writes of the last run by method and endpoint, without ids.
fn writes(lab: &Lab) -> Vec<String> {
    let mut all: Vec<String> = lab
        .sim
        .requests()
        .iter()
        .filter(|request| request.is_write)
        .map(|request| request.endpoint.clone())
        .collect();
    all.sort();
    all
}

#[test]
fn links_between_new_documents_are_page_links_after_one_run() {
    // (links, second writes that no order can save)
    for (links, second) in [
        (
            &[("A-1", &["A-2"] as &[&str]), ("A-2", &["A-3"]), ("A-3", &[])]
                as &[(&str, &[&str])],
            0,
        ),
        (&[("A-1", &[]), ("A-2", &["A-1"]), ("A-3", &["A-2", "A-1"])], 0),
        (&[("A-1", &["A-2"]), ("A-2", &["A-1"]), ("A-3", &["A-1"])], 2),
        (&[("A-1", &["A-1"]), ("A-2", &["A-3"]), ("A-3", &["A-2", "A-1"])], 3),
    ] {
        let lab = Lab::new();
        let repo = lab.repo("repo");
        stories(&repo, links);
        let files = repo.files();
        repo.init();
        lab.sim.reset_requests();
        let run = repo.run(&["sync"]).expect(0);
        assert_eq!(run.rules(), Vec::<String>::new(), "{run:?}");
        assert_eq!(
            run.actions(),
            ["story/A-1 create-page", "story/A-2 create-page", "story/A-3 create-page"]
        );
        for (id, to) in links {
            let body = lab.body("Stories", id);
            for to in *to {
                let link = format!("See [{to} *here*]({}#why) for more.", url(&lab, to));
                assert!(body.contains(&link), "{id}: {body}");
            }
        }
        assert_eq!(lab.writes(), links.len() + second, "{links:?}: {:?}", writes(&lab));
        assert_eq!(repo.files(), files);
        lab.sim.reset_requests();
        let run = repo.run(&["sync"]).expect(0);
        assert_eq!((lab.writes(), run.json()["outcome"].as_str()), (0, Some("clean")), "{run:?}");
        repo.settle();
        assert_eq!(repo.files(), files);
    }
}

#[test]
fn a_page_made_later_is_linked_once_and_nothing_else_is_sent() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    stories(&repo, &[("A-1", &["A-2"]), ("A-3", &[])]);
    let text = repo.read(&path("A-1")) + "Last [two][x] words.\n\n[x]: A-2-t.md\n";
    repo.write(&path("A-1"), &text);
    repo.init();
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.rules(), ["broken-reference", "broken-reference"]);
    let finding = &run.json()["findings"][0];
    assert_eq!(finding["line"], 11, "{finding}");
    assert_eq!(finding["path"].as_str(), Some(path("A-1").as_str()));
    assert!(lab.body("Stories", "A-1").contains("\\[A-2 *here*\\](A-2-t.md#why)"));
    lab.minutes(2);
    assert_eq!(
        repo.run(&["sync"]).expect(0).rules(),
        ["broken-reference", "broken-reference"],
        "rule 14"
    );
    let page = lab.page("Stories", "A-1");
    let before = lab.sim.workspace().blocks(&page);
    lab.minutes(2);
    stories(&repo, &[("A-2", &["A-1"])]);
    let run = repo.run(&["status"]).expect(0);
    assert_eq!(run.actions(), ["story/A-1 push", "story/A-2 create-page"]);
    lab.sim.reset_requests();
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.actions(), ["story/A-1 push", "story/A-2 create-page"]);
    assert_eq!(run.rules(), Vec::<String>::new());
    assert_eq!(lab.writes(), 2, "{:?}", writes(&lab));
    let after = lab.sim.workspace().blocks(&page);
    let changed: Vec<&str> = before
        .iter()
        .zip(&after)
        .filter(|(a, b)| a.id != b.id || a.text != b.text)
        .map(|(_, b)| b.text.as_str())
        .collect();
    assert_eq!(changed, ["See A-2 here for more.", "Last two words."]);
    let body = lab.body("Stories", "A-1");
    assert!(body.contains(&format!("Last [two]({}) words.", url(&lab, "A-2"))), "{body}");
    assert_eq!(repo.read(&path("A-1")), text);
    lab.sim.reset_requests();
    assert_eq!(repo.run(&["sync"]).expect(0).json()["outcome"], "clean");
    assert_eq!(lab.writes(), 0);
    repo.settle();
    // The target goes: the links are text again, and findings.
    std::fs::remove_file(repo.path.join(path("A-2"))).unwrap();
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.actions(), ["story/A-1 push", "story/A-2 trash-page"]);
    assert_eq!(run.rules(), ["broken-reference", "broken-reference"]);
    assert!(lab.body("Stories", "A-1").contains("Last \\[two\\](A-2-t.md) words."));
    lab.sim.reset_requests();
    repo.run(&["sync"]).expect(0);
    assert_eq!(lab.writes(), 0);
}

#[test]
fn a_page_trashed_in_notion_takes_its_links_along_in_one_run() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    stories(&repo, &[("A-1", &["A-2"]), ("A-2", &[]), ("A-3", &[])]);
    repo.init();
    repo.run(&["sync"]).expect(0);
    repo.settle();
    let page = lab.page("Stories", "A-2");
    lab.sim.workspace().trash(&page).unwrap();
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.actions(), ["story/A-1 push", "story/A-2 delete-file"]);
    assert!(lab.body("Stories", "A-1").contains("\\[A-2 *here*\\](A-2-t.md#why)"));
    lab.sim.reset_requests();
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!((lab.writes(), run.rules()), (0, vec!["broken-reference".to_owned()]));
}

#[test]
fn an_edit_in_notion_is_no_conflict_with_a_link_that_leads_elsewhere() {
    let lab = Lab::new();
    let mut repo = lab.repo("repo");
    with_web(&mut repo);
    stories(&repo, &[("A-1", &["A-2"]), ("A-3", &[])]);
    repo.init();
    repo.run(&["sync"]).expect(0);
    repo.settle_with_findings(&lab);
    stories(&repo, &[("A-2", &[])]);
    lab.edit("Stories", "A-1", "Of A-1", "Of A-1, edited.");
    repo.replace(&path("A-1"), "DRAFT", "REVIEW");
    let text = repo.read(&path("A-1"));
    lab.minutes(2);
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.json()["conflicts"].as_array().map(Vec::len), Some(0), "{run:?}");
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    assert_eq!(repo.read(&path("A-1")), text.replace("Of A-1.", "Of A-1, edited."));
    let body = lab.body("Stories", "A-1");
    assert!(body.contains("Of A-1, edited."), "{body}");
    assert!(body.contains(&format!("[A-2 *here*]({}#why)", url(&lab, "A-2"))), "{body}");
    assert_eq!(lab.property("Stories", "A-1", "Status").as_deref(), Some("REVIEW"));
    repo.settle();
}

trait Settle {
    fn settle_with_findings(&self, lab: &Lab);
}

impl Settle for Repo<'_> {
    fn settle_with_findings(&self, lab: &Lab) {
        for _ in 0..2 {
            lab.minutes(2);
            self.run(&["sync"]).expect(0);
        }
        lab.sim.reset_requests();
        self.run(&["sync"]).expect(0);
        assert_eq!(lab.writes(), 0);
        lab.minutes(2);
    }
}

#[test]
fn a_word_changed_in_notion_beside_a_link_changes_one_line() {
    let lab = Lab::new();
    let mut repo = lab.repo("repo");
    with_web(&mut repo);
    repo.write("src/main.rs", "fn main() {}\n");
    let body = "## Why\n\nFirst, see [the\nother](A-2-t.md), and\n[main](../../../../src/main.rs#L1-L3) now.\n\n\
                - a [ref][r] here\n- b\n\n| x | y |\n|---|---|\n| [c](A-2-t.md) | d |\n\n> [q](A-2-t.md) quoted\n\n\
                [r]: ./A-2-t.md \"title\"\n";
    repo.write(&path("A-1"), &story("A-1", "T", "DRAFT", body));
    stories(&repo, &[("A-2", &[])]);
    repo.init();
    repo.run(&["sync"]).expect(0);
    repo.settle();
    let two = url(&lab, "A-2");
    let sent = lab.body("Stories", "A-1");
    assert!(
        sent.contains(&format!(
            "see [the other]({two}), and [main]({WEB}/blob/main/src/main.rs#L1-L3) now"
        )),
        "{sent}"
    );
    let mut text = repo.read(&path("A-1"));
    for (containing, old, new) in [
        ("First", "First, see", "First of all, see"),
        ("ref", " here", " there"),
        ("quoted", " quoted", " cited"),
    ] {
        let block = sent.lines().find(|line| line.contains(containing)).unwrap();
        let block = block.trim_start_matches(['-', '>', ' ']).replace(old, new);
        lab.edit("Stories", "A-1", containing, &block);
        lab.minutes(2);
        assert_eq!(repo.run(&["sync"]).expect(0).actions(), ["story/A-1 pull"]);
        text = text.replace(old, new);
        assert_eq!(repo.read(&path("A-1")), text);
        repo.settle();
    }
}

#[test]
fn links_made_in_notion_come_as_paths() {
    let lab = Lab::new();
    let mut repo = lab.repo("repo");
    with_web(&mut repo);
    repo.write("docs/my file.md", "x\n");
    repo.write("docs/x.png", "x");
    stories(&repo, &[("A-1", &[]), ("A-2", &[])]);
    repo.init();
    repo.run(&["sync"]).expect(0);
    repo.settle();
    let id = lab.page("Stories", "A-2");
    let hex = id.replace('-', "");
    let body = format!(
        "[slug](https://www.notion.so/Some-Title-{hex}?pvs=4), [dashed](https://app.notion.com/p/{id}), \
         <mention-page url=\"https://www.notion.so/{hex}\"/>, [file]({WEB}/blob/main/docs/my%20file.md#L2), \
         [other]({WEB}/blob/dev/docs/x.md)\n![pic]({WEB}/raw/main/docs/x.png)\n[self](https://www.notion.so/{hex}#abc)"
    );
    let properties = [("ID", "A-3".into()), ("Status", "DRAFT".into())];
    lab.sim.workspace().create_page("Stories", "T", &properties, &body).unwrap();
    // A page that links to one whose file is made in the same run.
    let third = lab.page("Stories", "A-3").replace('-', "");
    let body = format!("To [three](https://www.notion.so/{third}).");
    let properties = [("ID", "A-0".into()), ("Status", "DRAFT".into())];
    lab.sim.workspace().create_page("Stories", "T", &properties, &body).unwrap();
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    let text = repo.read(&path("A-3"));
    let (_, found) = text.split_once("DRAFT\n\n").unwrap();
    assert_eq!(
        found,
        format!(
            "[slug](A-2-t.md), [dashed](A-2-t.md), [T](A-2-t.md), [file](../../../../docs/my%20file.md#L2), \
             [other]({WEB}/blob/dev/docs/x.md)\n\n![pic](../../../../docs/x.png)\n\n[self](A-2-t.md#abc)\n"
        )
    );
    assert!(repo.read(&path("A-0")).ends_with("To [three](A-3-t.md).\n"));
    lab.sim.reset_requests();
    repo.run(&["sync"]).expect(0);
    assert_eq!(lab.writes(), 0, "{:?}", lab.sim.requests());
    repo.settle();
}

#[test]
fn a_mention_stays_a_mention_when_a_word_beside_it_is_pushed() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    stories(&repo, &[("A-1", &[]), ("A-2", &[])]);
    repo.init();
    repo.run(&["sync"]).expect(0);
    repo.settle();
    let hex = lab.page("Stories", "A-2").replace('-', "");
    let mention =
        format!("See <mention-page url=\"https://www.notion.so/{hex}\">T</mention-page> too.");
    lab.edit("Stories", "A-1", "Of A-1", &mention);
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    assert!(repo.read(&path("A-1")).contains("See [T](A-2-t.md) too."));
    repo.settle();
    repo.replace(&path("A-1"), "too.", "as well.");
    repo.run(&["sync"]).expect(0);
    let body = lab.body("Stories", "A-1");
    assert!(body.contains("<mention-page") && body.contains("</mention-page> as well."), "{body}");
    repo.settle();
    // Without state both are the same document (rule 5).
    repo.git(&["update-ref", "-d", "refs/agent-sync/state"]);
    lab.minutes(2);
    repo.init();
    lab.sim.reset_requests();
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!((lab.writes(), run.actions()), (0, vec![]), "{run:?}");
    repo.settle();
}

#[test]
fn a_renamed_target_costs_no_write_once_its_links_are_corrected() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    stories(&repo, &[("A-1", &["A-2"]), ("A-2", &[])]);
    repo.init();
    repo.run(&["sync"]).expect(0);
    repo.settle();
    let body = lab.body("Stories", "A-1");
    let new = ".agent/cache/stories/A/A-2-renamed.md";
    std::fs::rename(repo.path.join(path("A-2")), repo.path.join(new)).unwrap();
    repo.replace(&path("A-1"), "A-2-t.md#why", "./A-2-renamed.md#why");
    lab.sim.reset_requests();
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!((lab.writes(), run.rules()), (0, vec![]), "{run:?}");
    assert_eq!(lab.body("Stories", "A-1"), body);
    repo.settle();
    // An edit in Notion keeps the new path.
    lab.edit(
        "Stories",
        "A-1",
        "for more",
        &format!("See [A-2 *here*]({}#why) for less.", url(&lab, "A-2")),
    );
    lab.minutes(2);
    let text = repo.read(&path("A-1"));
    repo.run(&["sync"]).expect(0);
    assert_eq!(repo.read(&path("A-1")), text.replace("for more", "for less"));
    repo.settle();
}

#[test]
fn what_leads_nowhere_is_text_and_comes_back_as_it_was() {
    let lab = Lab::new();
    let mut repo = lab.repo("repo");
    with_web(&mut repo);
    repo.write("docs/x.md", "x\n");
    std::os::unix::fs::symlink("/etc", repo.path.join("docs/etc")).unwrap();
    let body = "## Why\n\n[a](#why) [b](file:///etc/passwd) [c](javascript:x) [d](//host/x)\n\n\
                [e](gone.md) [f](../../../../../outside.md) ![g](gone.png)\n\n\
                [h](../../../../docs/etc/passwd) [i](../../../../.git/config) [j](../../../../%2e%2e/x)\n\n\
                Last words.\n";
    repo.write(&path("A-1"), &story("A-1", "T", "DRAFT", body));
    repo.init();
    let run = repo.run(&["sync"]).expect(0);
    assert_eq!(run.rules(), vec!["broken-reference"; 6], "{run:?}");
    let lines: Vec<_> =
        run.json()["findings"].as_array().unwrap().iter().map(|f| f["line"].as_u64()).collect();
    assert_eq!(lines, [11, 11, 11, 13, 13, 13].map(Some));
    assert!(!lab.body("Stories", "A-1").contains("github.com"));
    lab.minutes(2);
    lab.edit("Stories", "A-1", "Last words", "Last words, edited.");
    let text = repo.read(&path("A-1"));
    lab.minutes(2);
    repo.run(&["sync"]).expect(0);
    assert_eq!(repo.read(&path("A-1")), text.replace("Last words.", "Last words, edited."));
    // A whole new file from that page has them as they were.
    std::fs::remove_dir_all(repo.path.join(".agent")).unwrap();
    repo.git(&["update-ref", "-d", "refs/agent-sync/state"]);
    repo.init();
    repo.run(&["pull"]).expect(0);
    assert_eq!(repo.read(&path("A-1")), text.replace("Last words.", "Last words, edited."));
}

#[test]
fn images_are_shown_from_the_repository_unless_it_is_private() {
    for private in [false, true] {
        let lab = Lab::new();
        let repo = lab.repo("repo");
        let config = repo.read("agent-sync.yml");
        repo.write(
            "agent-sync.yml",
            &format!("{config}repository: {{url: '{WEB}', private: {private}}}\n"),
        );
        repo.write("img/a b.png", "x");
        let body = "## Why\n\n![A picture](/img/a%20b.png)\n\nText ![small](<../../../../img/a b.png>) here.\n";
        repo.write(&path("A-1"), &story("A-1", "T", "DRAFT", body));
        repo.init();
        let run = repo.run(&["sync"]).expect(0);
        let body = lab.body("Stories", "A-1");
        let address = |view: &str| format!("{WEB}/{view}/main/img/a%20b.png");
        if private {
            assert_eq!(run.rules(), ["private-image", "private-image"]);
            assert!(body.contains(&format!("[A picture]({})", address("blob"))), "{body}");
            assert!(!body.contains("!["), "{body}");
        } else {
            assert_eq!(run.rules(), Vec::<String>::new());
            assert!(body.contains(&format!("![A picture]({})", address("raw"))), "{body}");
            assert!(body.contains(&format!("Text [small]({}) here.", address("raw"))), "{body}");
        }
        let text = repo.read(&path("A-1"));
        lab.minutes(2);
        let block = body.lines().find(|line| line.starts_with("Text")).unwrap();
        lab.edit("Stories", "A-1", "Text", &block.replace("here", "there"));
        lab.minutes(2);
        repo.run(&["sync"]).expect(0);
        assert_eq!(repo.read(&path("A-1")), text.replace(" here.", " there."));
        lab.minutes(2);
        repo.run(&["sync"]).expect(0);
        lab.sim.reset_requests();
        repo.run(&["sync"]).expect(0);
        assert_eq!(lab.writes(), 0);
    }
}

#[test]
fn the_address_comes_from_the_remote_where_nothing_else_names_it() {
    let lab = Lab::new();
    let repo = lab.remote();
    repo.write("docs/x.md", "x\n");
    repo.story("A-1", "T", "DRAFT", "## Why\n\n[x](../../../../docs/x.md)\n");
    repo.publish("documents");
    repo.init();
    repo.run(&["sync"]).expect(0);
    assert!(lab.body("Stories", "A-1").contains("\\[x\\]"), "a folder has no address on the web");
    lab.minutes(2);
    // A host that is this machine: ssh runs what git asks for beside a link to the remote.
    let hosts = lab.dir.path().join("host");
    std::fs::create_dir_all(hosts.join("org")).unwrap();
    let bare = repo.git(&["remote", "get-url", "origin"]);
    std::os::unix::fs::symlink(bare, hosts.join("org/repo.git")).unwrap();
    let ssh = lab.dir.path().join("ssh");
    let script = format!("cd {} && for last; do :; done && eval \"$last\"\n", hosts.display());
    std::fs::write(&ssh, script).unwrap();
    repo.git(&["config", "core.sshCommand", &format!("sh {}", ssh.display())]);
    repo.git(&["config", "ssh.variant", "simple"]);
    repo.git(&["remote", "set-url", "origin", "git@github.com:org/repo.git"]);
    repo.run(&["sync"]).expect(0);
    assert!(lab.body("Stories", "A-1").contains(&format!("[x]({WEB}/blob/main/docs/x.md)")));
}

#[test]
fn only_some_kinds_or_artifacts_do_not_change_links_to_others() {
    let lab = Lab::new();
    let repo = lab.repo("repo");
    repo.write(
        ".agent/cache/plans/A/A-1-plan.md",
        &story("A-1", "Plan", "DRAFT", "## How\n\n[the story](../../stories/A/A-1-t.md)\n"),
    );
    repo.write(
        &path("A-1"),
        &story("A-1", "T", "DRAFT", "## Why\n\n[the plan](../../plans/A/A-1-plan.md)\n"),
    );
    repo.init();
    repo.run(&["sync"]).expect(0);
    assert!(lab.body("Stories", "A-1").contains("[the plan](https://app.notion.com/p/"));
    assert!(lab.body("Plans", "A-1").contains("[the story](https://app.notion.com/p/"));
    lab.minutes(2);
    for args in [&["sync", "--kind", "story"] as &[&str], &["sync", "plan/A-1"], &["sync"]] {
        lab.sim.reset_requests();
        let run = repo.run(args).expect(0);
        assert_eq!((lab.writes(), run.json()["outcome"].as_str()), (0, Some("clean")), "{run:?}");
    }
}
