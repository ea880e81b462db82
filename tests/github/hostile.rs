//! Attacks by those who may write comments, forks, pages and files, and not more. docs/threat-model.md has the list.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::TcpListener;

use serde_json::{Value, json};

use crate::check::{PATH, Scene, text};
use crate::common::github::{ADA, EVE, Fault, Seen};
use crate::common::story;
use crate::job::{CONFIG, Step, World, repository};

/// Ticks the box that keeps Notion's text.
fn ticked(body: &str) -> String {
    let ticked = body.replacen("- [ ] keep Notion's", "- [x] keep Notion's", 1);
    assert_ne!(ticked, body);
    ticked
}

impl Scene {
    /// A clash that the pull request tells.
    fn clash() -> Self {
        let scene = Self::new(true);
        scene.check().expect(1);
        scene
    }

    /// Somebody has this permission.
    fn permit(&self, login: &str, permission: &str) {
        let path = format!("/collaborators/{login}");
        self.world.github.ask(ADA, "PUT", &path, json!({"permission": permission}));
    }

    fn comment(&self, token: &str, body: &str) -> u64 {
        let path = format!("/issues/{}/comments", self.number);
        self.world.github.ask(token, "POST", &path, json!({"body": body}))["id"].as_u64().unwrap()
    }

    /// The payload of a comment.
    fn comment_payload(&self, id: u64, action: &str, body: &str, login: &str) -> Value {
        json!({
            "action": action,
            "issue": {"number": self.number, "pull_request": {"url": "…"}},
            "comment": {"id": id, "body": body, "user": {"login": login}},
            "sender": {"login": login, "type": "User"},
            "repository": repository(),
        })
    }

    /// The job that an event about the default branch's commit starts.
    fn on_main(&self, event: &str, payload: &Value) -> Step {
        let main = self.world.github.head("main");
        self.world.step(&main, event, payload, &["auto"])
    }

    /// Nothing was decided: the status is as it was, and a check finds the conflict open.
    #[track_caller]
    fn undecided(&self, what: &str) {
        assert_eq!(self.state().0, "failure", "{what}");
        let step = self.check();
        assert_eq!(
            (step.run.code, &*step.outputs["conflicts"]),
            (1, "1"),
            "{what}: {:?}",
            step.run
        );
    }
}

#[test]
fn the_association_in_a_payload_decides_nothing() {
    let scene = Scene::clash();
    let (ours, body) = scene.comments().into_iter().next().unwrap();
    let command = "/agent-sync keep notion INFRA-1";
    for permission in ["pull", "triage"] {
        scene.permit("eve", permission);
        let id = scene.comment(EVE, command);
        let path = format!("/issues/comments/{ours}");
        scene.world.github.ask(ADA, "PATCH", &path, json!({"body": ticked(&body)}));
        for (id, action, body) in [(id, "created", command), (ours, "edited", &*ticked(&body))] {
            let mut payload = scene.comment_payload(id, action, body, "eve");
            for part in ["comment", "issue", "sender"] {
                payload[part]["author_association"] = json!("OWNER");
            }
            payload["comment"]["user"] = json!({"login": "ada", "site_admin": true});
            payload["sender"]["permissions"] = json!({"admin": true, "push": true});
            scene.on_main("issue_comment", &payload).expect(0);
            assert_eq!(scene.state().0, "failure", "{permission}, {action}");
        }
        scene.undecided(permission);
    }
    // `emulate` says `push` where GitHub says `write`; this one both know.
    scene.permit("eve", "maintain");
    let payload = scene.comment_payload(scene.comment(EVE, command), "created", command, "eve");
    scene.on_main("issue_comment", &payload).expect(0);
    assert_eq!(scene.state().0, "success", "with write permission it is a decision");
}

#[test]
fn a_program_decides_nothing() {
    let scene = Scene::clash();
    let (id, body) = scene.comments().into_iter().next().unwrap();
    let path = format!("/issues/comments/{id}");
    scene.world.github.ask(ADA, "PATCH", &path, json!({"body": ticked(&body)}));
    for (login, kind) in [("github-actions[bot]", "User"), ("ada", "Bot")] {
        scene.permit("github-actions[bot]", "maintain");
        let mut payload = scene.comment_payload(id, "edited", &ticked(&body), login);
        payload["sender"]["type"] = json!(kind);
        scene.on_main("issue_comment", &payload).expect(0);
        payload["action"] = json!("created");
        payload["comment"]["body"] = json!("/agent-sync keep notion INFRA-1");
        scene.on_main("issue_comment", &payload).expect(0);
        assert_eq!(scene.state().0, "failure", "{login}, {kind}");
    }
    scene.undecided("a program");
}

#[test]
fn a_command_that_is_quoted_or_shown_decides_nothing() {
    let scene = Scene::clash();
    scene.world.github.forget();
    for body in [
        "> /agent-sync keep notion INFRA-1",
        "> you can write\n/agent-sync keep notion INFRA-1",
        "```\n/agent-sync keep notion INFRA-1\n```",
        "~~~\n```\n/agent-sync keep notion INFRA-1\n```\n~~~",
        "    /agent-sync keep notion INFRA-1",
        "<!--\n/agent-sync keep notion INFRA-1\n-->",
    ] {
        scene.say(ADA, "ada", body).expect(0);
    }
    assert_eq!(scene.world.github.seen(), [], "nobody is asked or answered");
    scene.undecided("quoted");
}

#[test]
fn boxes_in_a_copy_of_our_comment_decide_nothing() {
    let scene = Scene::clash();
    let (_, body) = scene.comments().into_iter().next().unwrap();
    // By a person who may write, so that it is the author of the text that counts.
    let copy = ticked(&body);
    let id = scene.comment(ADA, &copy);
    for action in ["created", "edited"] {
        let payload = scene.comment_payload(id, action, &copy, "ada");
        scene.on_main("issue_comment", &payload).expect(0);
        assert_eq!(scene.state().0, "failure", "{action}");
    }
    scene.undecided("a copy");
    let (_, now) = scene.comments().into_iter().next().unwrap();
    assert!(!now.contains("[x]"), "the copy is not taken for the comment: {now}");
}

#[test]
fn a_comment_of_60_kb_decides_nothing() {
    let scene = Scene::clash();
    let (id, body) = scene.comments().into_iter().next().unwrap();
    let filler = "All work and no play. ".repeat(60_000 / 22);
    for long in [
        format!("/agent-sync keep notion{}", " INFRA-1".repeat(60_000 / 8)),
        format!("/agent-sync keep notion {}", "x".repeat(60_000)),
        format!("/agent-sync keep {}", "\u{202e}`@ada".repeat(60_000 / 8)),
        format!("> {filler}\n/agent-sync keep notion INFRA-1"),
        format!("```\n{filler}\n/agent-sync keep notion INFRA-1"),
        "<!--".repeat(15_000) + "\n/agent-sync keep notion INFRA-1",
    ] {
        let step = scene.say(ADA, "ada", &long);
        assert_eq!((step.run.code, scene.state().0), (0, "failure".to_owned()), "{:.60}", long);
    }
    // Our own comment, with so much written into it.
    let grown = format!("{filler}\n\n{}", ticked(&body));
    scene.edit(id, &grown, "ada").expect(0);
    let all = scene.comments();
    assert!(all.iter().all(|(_, body)| body.len() < 5_000 || body.contains(&filler)), "{all:?}");
    scene.undecided("60 KB");
}

/// The tree of a commit, and entries that git would not make.
fn hostile_tree(scene: &Scene) -> Value {
    let path = format!("/git/trees/{}?recursive=1", scene.head);
    let mut tree = scene.world.github.ask(ADA, "GET", &path, Value::Null);
    let stories = ".agent/cache/stories/INFRA";
    let file = |path: &str, digit: &str| json!({"path": path, "mode": "100644", "type": "blob", "sha": digit.repeat(40), "size": 9});
    let mut entries = vec![
        file("../outside.md", "a"),
        file(&format!("{stories}/../../../../../outside.md"), "a"),
        file("/outside.md", "a"),
        file("workspace/../../outside.md", "a"),
        file(".git/hooks/post-checkout", "a"),
        file(&format!("{stories}/.GIT/config"), "a"),
        file(&format!("{stories}/INFRA-3-\u{0}.md"), "a"),
        file(&format!("{stories}\\..\\..\\INFRA-4-x.md"), "a"),
        file("", "a"),
    ];
    for (name, target) in [
        ("INFRA-5-link.md", "../../../../../../../../../../etc/passwd"),
        ("INFRA-5-link.md/INFRA-8-below.md", "x"),
        ("link", "/tmp"),
    ] {
        let blob = json!({"content": target, "encoding": "utf-8"});
        let blob = scene.world.github.ask(ADA, "POST", "/git/blobs", blob)["sha"].clone();
        let mut link = file(&format!("{stories}/{name}"), "");
        (link["mode"], link["sha"]) = (json!("120000"), blob);
        entries.push(link);
    }
    let mut submodule = file(&format!("{stories}/INFRA-6-module.md"), "d");
    (submodule["mode"], submodule["type"]) = (json!("160000"), json!("commit"));
    entries.push(submodule);
    let mut huge = file(&format!("{stories}/INFRA-7-huge.md"), "e");
    huge["size"] = json!(6 * 1024 * 1024);
    entries.push(huge);
    tree["tree"].as_array_mut().unwrap().extend(entries);
    tree
}

/// Whether a request names an object that only the hostile tree holds.
fn names_planted(seen: &Seen) -> bool {
    let text = format!("{} {}", seen.path, seen.body);
    ["a", "d", "e"].iter().any(|digit| text.contains(&digit.repeat(40)))
}

#[test]
fn a_hostile_head_is_read_as_data() {
    for fork in [true, false] {
        let scene = Scene::clash();
        let github = &scene.world.github;
        let tree = hostile_tree(&scene);
        let mut pull = github.ask(ADA, "GET", &format!("/pulls/{}", scene.number), Value::Null);
        // GitHub's own merge of it is as hostile.
        pull["mergeable"] = Value::Null;
        if fork {
            pull["head"]["repo"] = json!({"full_name": "eve/docs"});
        }
        let (number, listing) = (scene.number, format!("/git/trees/{}", scene.head));
        github.rule(move |seen| {
            let path = seen.path.as_str();
            let answer = match (seen.method.as_str(), path) {
                ("GET", path) if path == listing => &tree,
                ("GET", path) if path == format!("/pulls/{number}") => &pull,
                _ => return None,
            };
            Some(Fault::Answer(200, Vec::new(), answer.clone()))
        });
        github.forget();
        let body = "/agent-sync keep notion INFRA-1";
        let id = scene.comment(ADA, body);
        let base = scene.world.github.head("main");
        let comment = scene.comment_payload(id, "created", body, "ada");
        let before = scene.world.github.files(&base);
        for (event, payload) in
            [("pull_request_target", scene.payload()), ("issue_comment", comment)]
        {
            let step = scene.world.step(&base, event, &payload, &["auto"]);
            let code = step.run.code;
            assert!(code == 0 || code == 1, "{event}: {:?}", step.run);
            let said = format!("{}{}", step.run.stdout, step.summary);
            if event == "pull_request_target" {
                for name in ["INFRA-7-huge.md", "INFRA-5-link.md"] {
                    assert!(said.contains(name), "a finding, not silence: {:?}", step.run);
                }
                assert!(!said.contains("root:"), "{said}");
            }
            // Only what the runner gave, and our report: the folder of the head is gone.
            let left = step.left().into_iter().filter(|name| !name.ends_with(".json"));
            assert_eq!(left.collect::<Vec<_>>(), ["event", "output", "summary"], "{event}");
            for (path, text) in &before {
                assert_eq!(&step.file(path), text, "{event}");
            }
        }
        let seen = scene.world.github.seen();
        assert!(seen.iter().all(|one| !names_planted(one)), "{seen:#?}");
        assert_eq!(scene.state().0, if fork { "failure" } else { "success" });
        let replies = scene.comments();
        let told = replies.iter().filter(|(_, body)| body.contains("fork")).count();
        assert_eq!(told, usize::from(fork), "{replies:?}");
        assert_eq!(scene.world.lab.writes(), 0);
    }
}

#[test]
fn a_link_in_a_head_is_the_file_to_which_it_leads() {
    let scene = Scene::new(false);
    let github = &scene.world.github;
    let head = github.push("feature", &[("docs/real.md", Some(&text("Behind a link.")))], "move");
    let tree = github.commit(&head)["tree"]["sha"].clone();
    let link = json!({"path": PATH, "mode": "120000", "type": "blob", "content": "../../../../docs/real.md"});
    let tree = json!({"base_tree": tree, "tree": [link]});
    let tree = github.ask(ADA, "POST", "/git/trees", tree)["sha"].clone();
    let commit = json!({"message": "link", "tree": tree, "parents": [head]});
    let head = github.ask(ADA, "POST", "/git/commits", commit)["sha"].clone();
    github.ask(ADA, "PATCH", "/git/refs/heads/feature", json!({"sha": head}));
    let base = github.head("main");
    let args = ["auto", "--format", "json"];
    let step = scene.world.step(&base, "pull_request_target", &scene.payload(), &args).expect(0);
    let json = step.run.json();
    assert_eq!(
        (&json["artifacts"][0]["action"], &json["counts"]["deleted"]),
        (&json!("push"), &json!(0)),
        "{json}"
    );
}

/// Every value in a payload by its pointer, containers too.
fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    let mut below = |key: &str, value: &Value| {
        let pointer = format!("{at}/{key}");
        found.push(pointer.clone());
        pointers(value, &pointer, found);
    };
    for (key, value) in value.as_object().into_iter().flatten() {
        below(key, value);
    }
}

/// What takes a field's place.
fn junk() -> Vec<Value> {
    vec![
        Value::Null,
        json!(u64::MAX),
        json!("../../../repos/eve/evil\r\n::error::x %0A"),
        json!({"full_name": "eve/evil", "login": {}, "number": "7", "sha": ["x"]}),
    ]
}

/// Fails for a request that is not about the repository of the job.
#[track_caller]
fn at_home(seen: &[Seen]) {
    for one in seen {
        // The façade takes the repository's own path off.
        let leads_out =
            one.path.starts_with("/repos") || one.path.split('/').any(|part| part == "..");
        assert!(!leads_out, "{one:?}");
        if one.path == "/graphql" {
            let variables = &one.body["variables"];
            let whose = (variables["owner"].as_str(), variables["name"].as_str());
            let query = one.body["query"].as_str().unwrap_or_default();
            let home = whose == (Some("ada"), Some("docs")) || !query.contains("repository(");
            assert!(home, "{one:?}");
        }
    }
}

/// Plays an event with junk in the place of each of its values. One checkout for all: it is the payload that is hostile.
fn harmless(scene: &Scene, event: &str, payload: &Value) {
    let job = scene.world.on(&scene.head);
    let mut all = vec![String::new()];
    pointers(payload, "", &mut all);
    for (pointer, value) in all.iter().flat_map(|at| junk().into_iter().map(move |v| (at, v))) {
        let what = format!("{event}{pointer} = {value}");
        let mut payload = payload.clone();
        *payload.pointer_mut(pointer).unwrap() = value;
        let run = job.run(event, &payload.to_string(), &["auto"]);
        assert!((0..=4).contains(&run.code), "{what}: {run:?}");
        assert!(!run.stderr.contains("panicked"), "{what}: {run:?}");
        let planted = run.stdout.lines().any(|line| line.starts_with("::error::x"));
        assert!(!planted, "{what}: {run:?}");
    }
}

#[test]
fn junk_in_any_field_of_an_event_does_nothing() {
    let scene = Scene::clash();
    let (ours, body) = scene.comments().into_iter().next().unwrap();
    let command = "/agent-sync keep notion INFRA-1";
    let theirs = scene.comment(EVE, command);
    let push =
        json!({"ref": "refs/heads/feature", "after": scene.head, "repository": repository()});
    let issue = json!({
        "action": "edited",
        "issue": {"number": scene.number, "body": body},
        "sender": {"login": "eve", "type": "User"},
        "repository": repository(),
    });
    let events = [
        ("pull_request", scene.payload()),
        ("pull_request_target", scene.payload()),
        ("push", push),
        ("issue_comment", scene.comment_payload(theirs, "created", command, "eve")),
        ("issue_comment", scene.comment_payload(ours, "edited", &body, "eve")),
        ("issues", issue),
        ("workflow_dispatch", json!({"inputs": {}, "ref": "x", "repository": repository()})),
    ];
    scene.world.github.forget();
    std::thread::scope(|threads| {
        for (event, payload) in &events {
            threads.spawn(|| harmless(&scene, event, payload));
        }
    });
    at_home(&scene.world.github.seen());
    assert_eq!(scene.world.lab.writes(), 0);
    scene.undecided("junk");
}

#[test]
fn a_payload_that_is_none_is_a_usage_error() {
    let scene = Scene::clash();
    let job = scene.world.on(&scene.head);
    scene.world.github.forget();
    for text in ["", "{", "\u{0}", "{\"a\":1}{", &"[".repeat(100_000)] {
        for event in ["pull_request", "issue_comment", "push"] {
            let run = job.run(event, text, &["auto"]);
            assert_eq!(run.code, 2, "{event} {text:.20}: {run:?}");
        }
    }
    assert_eq!(scene.world.github.seen(), []);
}

#[test]
fn a_kind_that_is_not_shared_reaches_no_request() {
    let world = World::new(&[(PATH, &text("Another one."))]);
    let secret = "The cellar key is under the third stone";
    let runbook = story("OPS-1", "Cellar", "DRAFT", &format!("{secret}.\n"));
    let journey = format!("id: JRN-1\ntitle: {secret}\n");
    let files = [
        (".agent/cache/runbooks/OPS/OPS-1-runbook.md", Some(runbook.as_str())),
        (".agent/cache/journeys/OPS/JRN-1-cellar.yaml", Some(journey.as_str())),
    ];
    world.github.push("main", &files, "runbook");
    world.github.forget();
    for args in [&["init"][..], &["sync"], &["status"], &["check"], &["diff"], &["auto"]] {
        world.pushed(args).expect(0);
        world.lab.minutes(5);
    }
    let requests = world.lab.sim.requests();
    assert!(requests.iter().any(|one| one.is_write));
    for one in &requests {
        let text = format!("{} {} {:?}", one.path, one.query, one.body);
        let leaks = text.contains("cellar") || text.contains("OPS-1") || text.contains("JRN-1");
        assert!(!leaks, "{one:?}");
    }
    for one in world.github.writes() {
        assert!(!one.body.to_string().contains("cellar key"), "{one:?}");
    }
    let known = world.lab.sim.workspace().databases();
    let known: BTreeSet<String> = known.into_iter().map(|one| one.title).collect();
    assert_eq!(known, BTreeSet::from(["ADRs", "Plans", "Stories"].map(str::to_owned)));
    // As soon as it is shared it does go: the files are ones that would have been found.
    let shared = CONFIG.replace("[story, plan, adr]", "[story, plan, adr, runbook]");
    world.github.push("main", &[("agent-sync.yml", Some(&shared)), files[0]], "share");
    world.pushed(&["init"]).expect(0);
    world.pushed(&["sync"]).expect(0);
    assert!(
        world.lab.sim.requests().iter().any(|one| format!("{:?}", one.body).contains("cellar key"))
    );
}

#[test]
fn addresses_in_texts_are_not_fetched() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let at = format!("127.0.0.1:{}", listener.local_addr().unwrap().port());
    let addresses = format!(
        "See http://{at}/bare and <http://{at}/angle>, [a link](http://{at}/link \"http://{at}/title\").\n\n\
         ![an image](http://{at}/image.png)\n\n[ref]: http://{at}/ref\n\n<img src=\"http://{at}/html.png\">\n\n\
         ```\ncurl http://{at}/code\n```\n\n| a | b |\n|---|---|\n| http://{at}/cell | ![](http://{at}/cell.png) |\n"
    );
    let title = format!("First http://{at}/title");
    let file = story("INFRA-1", &title, "DRAFT", &format!("{addresses}\nOne paragraph.\n"));
    let world = World::new(&[(PATH, &file)]);
    world.pushed(&["init"]).expect(0);
    world.pushed(&["sync"]).expect(0);
    world.lab.minutes(5);
    let linked = format!("Notion: ![i](http://{at}/n.png) [l](http://{at}/n) http://{at}/n");
    world.lab.edit("Stories", "INFRA-1", "One paragraph.", &linked);
    let values = [("ID", "PLAN-7".into()), ("Status", format!("http://{at}/status").into())];
    world.lab.sim.workspace().create_page("Plans", &title, &values, &addresses).unwrap();
    world.lab.minutes(5);
    let edited = file.replace("One paragraph.", &format!("Git: ![i](http://{at}/g.png)"));
    world.github.push("feature", &[(PATH, Some(&edited))], &format!("http://{at}/commit"));
    let pull = json!({"title": title, "head": "feature", "base": "main", "body": addresses});
    let number = world.github.ask(ADA, "POST", "/pulls", pull)["number"].as_u64().unwrap();
    let head = world.github.head("feature");
    let scene = Scene { world, number, head };
    let mut payload = scene.payload();
    for part in ["url", "html_url", "diff_url", "comments_url", "_links"] {
        payload["pull_request"][part] = json!(format!("http://{at}/{part}"));
        payload["repository"][part] = json!(format!("http://{at}/{part}"));
    }
    scene.world.step(&scene.head, "pull_request", &payload, &["auto"]).expect(1);
    scene.say(ADA, "ada", &format!("/agent-sync keep http://{at}/x http://{at}/y")).expect(0);
    scene.world.pushed(&["sync"]).expect(0);
    let refused = || listener.accept().is_err_and(|error| error.kind() == ErrorKind::WouldBlock);
    assert!(refused(), "somebody followed an address");

    // Nor where GitHub itself seems to send us there, with the token.
    let elsewhere = vec![("location", format!("http://{at}/moved"))];
    for status in [301, 302, 307, 308] {
        let elsewhere = elsewhere.clone();
        scene.world.github.rule(move |_| Some(Fault::Answer(status, elsewhere.clone(), json!({}))));
        let code = scene.check().run.code;
        assert!((3..=4).contains(&code), "{status}: {code}");
        assert!(refused(), "{status}");
    }
}
