//! What every [`Backend`] keeps to. The suite runs over each implementation; docs/backends.md says how a new one
//! joins.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use agent_sync_core::kind::{Format, Kind, Property, PropertyType, Rename, Source};
use agent_sync_core::markdown::{self, Dialect, Hunk, Local};
use agent_sync_core::model::{Properties, Value};
use regex::Regex;
use secrecy::SecretString;

use super::database::{Database, DatabaseStore};
use super::{Backend, BackendError, Life, Place, Presence, WriteGate, notion};
use crate::state::{StateError, Store};
use crate::testing::postgres::Server;

struct Open;

impl WriteGate for Open {
    fn may_write(&self) -> Result<(), String> {
        Ok(())
    }
}

/// One process's view of a backend.
struct View {
    backend: Arc<dyn Backend>,
    store: Option<Arc<dyn Store>>,
}

impl View {
    fn of(backend: Arc<dyn Backend>, store: Option<Arc<dyn Store>>) -> Self {
        backend.set_gate(Arc::new(Open));
        Self { backend, store }
    }

    fn database(database: Database) -> Self {
        let database = Arc::new(database);
        Self::of(database.clone(), Some(Arc::new(DatabaseStore::new(database))))
    }

    /// What was written takes effect, where it does not by itself.
    async fn save(&self) -> Result<(), StateError> {
        let Some(store) = &self.store else { return Ok(()) };
        let at = store.load().await?;
        store.commit(&at, "contract", &BTreeMap::new()).await.map(drop)
    }

    async fn make(&self, bench: &Bench, id: &str, title: &str, body: &str) -> String {
        let (properties, body) = (properties(id, title), self.sent(body));
        let made = self.backend.create(&bench.kind, &bench.place, &properties, &body).await;
        made.unwrap().page
    }

    /// A file's body as it is sent.
    fn sent(&self, text: &str) -> String {
        markdown::render_remote(&md(text), self.backend.dialect())
    }

    async fn text(&self, page: &str) -> String {
        self.backend.body(page).await.unwrap().text
    }

    async fn list(&self, bench: &Bench) -> Vec<super::RemotePage> {
        let listing = self.backend.list(&bench.kind, &bench.place, None, None).await.unwrap();
        assert!(listing.whole);
        listing.pages
    }
}

/// A backend with a place for stories, and as many views on it as are wanted.
struct Bench {
    view: Box<dyn Fn() -> View + Send + Sync>,
    kind: Kind,
    place: Place,
    /// What must live as long as the backend.
    _keep: Box<dyn std::any::Any + Send + Sync>,
}

fn md(text: &str) -> Local<'_> {
    Local { text, excluded: &[], format: Format::Markdown, links: None }
}

fn properties(id: &str, title: &str) -> Properties {
    let text = |text: &str| Value::Text(text.to_owned());
    [("ID", id), ("Title", title), ("Status", "TO_DO")]
        .map(|(name, value)| (name.to_owned(), text(value)))
        .into()
}

fn story() -> Kind {
    let property = |name: &str, r#type, source| Property {
        name: name.into(),
        remote_name: name.into(),
        r#type,
        source,
        options: Vec::new(),
        target: None,
        allow_new_options: false,
    };
    let options = ["TO_DO", "DONE"].map(|name| (name.to_owned(), name.to_owned()));
    Kind {
        name: "story".into(),
        folder: "stories".into(),
        file: "{id}-{slug}.md".into(),
        id_pattern: r"[A-Z]+-\d+".into(),
        file_id: Regex::new(r"^([A-Z]+-\d+)").unwrap(),
        rename: Rename::Keep,
        database: "Stories".into(),
        format: Format::Markdown,
        properties: vec![
            property("Title", PropertyType::Title, Source::Heading),
            property("ID", PropertyType::RichText, Source::Id),
            Property {
                options: options.to_vec(),
                ..property("Status", PropertyType::Select, Source::Section(vec!["State".into()]))
            },
        ],
    }
}

async fn bench(
    view: impl Fn() -> View + Send + Sync + 'static,
    keep: impl std::any::Any + Send + Sync,
) -> Bench {
    let kind = story();
    let first = view();
    let places = first.backend.create_places(&[&kind], &BTreeMap::new()).await.unwrap();
    first.save().await.unwrap();
    let place = places.into_values().next().unwrap();
    Bench { view: Box::new(view), kind, place, _keep: Box::new(keep) }
}

async fn notion() -> Bench {
    let token = "ntn_contract";
    let start = move || {
        let options =
            notion_sim::Options { token: token.to_owned(), rate: None, ..Default::default() };
        notion_sim::Server::start(options).unwrap()
    };
    let sim = tokio::task::spawn_blocking(start).await.unwrap();
    let (url, parent) = (sim.url().to_owned(), sim.parent_page().to_owned());
    let view = move || {
        let options = notion::NotionOptions {
            name: "notion".into(),
            base_url: url.clone(),
            token: SecretString::from(token.to_owned()),
            parent_page: Some(parent.clone()),
            databases: BTreeMap::new(),
            designs: BTreeMap::new(),
            requests_per_minute: 10_000,
            dialect: Dialect::NotionV1,
            settle_time: Duration::ZERO,
            tuning: notion::Tuning {
                backoff: Duration::from_millis(2),
                read_timeout: Duration::from_secs(20),
                write_timeout: Duration::from_secs(20),
            },
        };
        View::of(Arc::new(notion::Notion::new(options).unwrap()), None)
    };
    bench(view, sim).await
}

async fn sqlite() -> Bench {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("artifacts.db");
    let view =
        move || View::database(Database::sqlite("cache", path.clone(), Duration::from_secs(30)));
    bench(view, folder).await
}

async fn postgres() -> Bench {
    let url = tokio::task::spawn_blocking(|| {
        let server = Server::shared();
        server.url(&server.database())
    });
    let url = url.await.unwrap();
    let view = move || View::database(Database::postgres("team", &url, "agent_sync").unwrap());
    bench(view, ()).await
}

const BODY: &str = "## Why\n\nThe first paragraph.\n\nThe second paragraph.\n\n- one\n- two\n";

async fn what_is_written_is_read_and_writing_it_again_changes_nothing(bench: Bench) {
    let one = (bench.view)();
    let page = one.make(&bench, "A-1", "First", BODY).await;
    one.save().await.unwrap();
    let two = (bench.view)();
    for _ in 0..2 {
        let pages = two.list(&bench).await;
        let [found] = pages.as_slice() else { panic!("{pages:?}") };
        assert_eq!(
            (found.page.as_str(), found.id.as_deref(), found.life),
            (page.as_str(), Some("A-1"), Life::Alive)
        );
        for (name, value) in properties("A-1", "First") {
            assert_eq!(found.properties.get(&name).or(Some(&value)), Some(&value), "{name}");
        }
        let text = two.text(&page).await;
        assert_eq!(
            markdown::remote_digest(two.backend.dialect(), &text),
            markdown::local_digest(&md(BODY))
        );
        let values = [("Title", "First"), ("Status", "TO_DO")]
            .map(|(name, value)| (name.to_owned(), Some(Value::Text(value.to_owned()))));
        two.backend.set_properties(&bench.kind, &bench.place, &page, &values.into()).await.unwrap();
        two.save().await.unwrap();
    }
    let found =
        two.backend.find(&bench.kind, &bench.place, &["A-1".into(), "A-2".into()]).await.unwrap();
    assert_eq!(found.len(), 1);
}

/// Replaces the one place of a text.
fn hunk(text: &str, old: &str, new: &str) -> Hunk {
    let at = text.find(old).unwrap();
    Hunk { at: at..at + old.len(), old: old.to_owned(), new: new.to_owned() }
}

async fn a_write_on_a_text_that_changed_changes_nothing(bench: Bench) {
    let one = (bench.view)();
    let page = one.make(&bench, "A-1", "First", BODY).await;
    one.save().await.unwrap();
    let (late, quick) = ((bench.view)(), (bench.view)());
    let text = late.text(&page).await;
    let edit = hunk(&quick.text(&page).await, "The first paragraph.", "By somebody else.");
    let answer = quick.backend.edit_body(&page, &[edit]).await.unwrap();
    assert!(answer.text.contains("By somebody else.") && answer.complete);
    quick.save().await.unwrap();
    let edit = hunk(&text, "The first paragraph.", "Too late.");
    match late.backend.edit_body(&page, &[edit]).await {
        Err(BackendError::Stale { .. }) => {}
        Ok(_) => assert_eq!(late.save().await.unwrap_err(), StateError::Moved),
        other => panic!("{other:?}"),
    }
    let now = (bench.view)().text(&page).await;
    assert!(now.contains("By somebody else.") && !now.contains("Too late."), "{now}");
}

async fn what_is_deleted_is_marked_and_comes_back(bench: Bench) {
    let one = (bench.view)();
    let page = one.make(&bench, "A-1", "First", BODY).await;
    one.make(&bench, "A-2", "Second", BODY).await;
    one.save().await.unwrap();
    let presence = |life: Life| {
        let (bench, page) = (&bench, &page);
        async move {
            let view = (bench.view)();
            match view.backend.page(&bench.kind, &bench.place, page).await.unwrap() {
                Presence::Found(found) => assert_eq!(found.life, life),
                Presence::NotFound => panic!("gone"),
            }
            view.list(bench).await.len()
        }
    };
    let two = (bench.view)();
    two.backend.trash(&bench.kind, &bench.place, &page).await.unwrap();
    two.save().await.unwrap();
    assert_eq!(presence(Life::Trashed).await, 1);
    let three = (bench.view)();
    three.backend.untrash(&bench.kind, &bench.place, &page).await.unwrap();
    three.save().await.unwrap();
    assert_eq!(presence(Life::Alive).await, 2);
    assert!((bench.view)().text(&page).await.contains("The second paragraph."));
}

async fn any_text_comes_back(bench: Bench) {
    let title = "Zoë 日本 العربية 👩‍👩‍👧 'quoted' \"twice\" \\ ; --";
    let body = "Ünïcode — 日本語 العربية 👩‍👩‍👧 e\u{301}\n\n```sql\nSELECT '\\' || $1 -- {schema} ?1\n```\n\n- ''; DROP TABLE artifacts\n";
    let one = (bench.view)();
    let page = one.make(&bench, "A-1", title, body).await;
    one.save().await.unwrap();
    let two = (bench.view)();
    let pages = two.list(&bench).await;
    assert_eq!(pages[0].properties.get("Title"), Some(&Value::Text(title.to_owned())));
    let text = two.text(&page).await;
    assert_eq!(
        markdown::remote_digest(two.backend.dialect(), &text),
        markdown::local_digest(&md(body)),
        "{text}"
    );
}

async fn a_long_body_is_whole(bench: Bench) {
    let paragraph = "Words that follow one another until the line is long enough. ".repeat(4);
    let body: String = (0..300).map(|n| format!("{n}: {}\n\n", paragraph.trim_end())).collect();
    let one = (bench.view)();
    let page = one.make(&bench, "A-1", "Long", &body).await;
    one.save().await.unwrap();
    let read = (bench.view)().backend.body(&page).await.unwrap();
    assert!(read.complete);
    assert_eq!(
        markdown::remote_digest(one.backend.dialect(), &read.text),
        markdown::local_digest(&md(&body))
    );
}

async fn of_writers_at_once_none_is_lost(bench: Bench) {
    let write = |n: usize| {
        let bench = &bench;
        async move {
            for _ in 0..40 {
                let view = (bench.view)();
                view.make(bench, &format!("A-{n}"), "At once", BODY).await;
                match view.save().await {
                    Ok(()) => return,
                    Err(error) => assert_eq!(error, StateError::Moved),
                }
            }
            panic!("{n} never got through");
        }
    };
    futures::future::join_all((0..6).map(write)).await;
    let mut ids: Vec<_> =
        (bench.view)().list(&bench).await.into_iter().filter_map(|page| page.id).collect();
    ids.sort();
    assert_eq!(ids, ["A-0", "A-1", "A-2", "A-3", "A-4", "A-5"]);
}

async fn after_a_crash_a_page_is_whole_or_not_there(bench: Bench) {
    let one = (bench.view)();
    one.make(&bench, "A-1", "First", BODY).await;
    drop(one);
    let two = (bench.view)();
    let pages = two.list(&bench).await;
    match pages.as_slice() {
        [] => assert!(two.backend.transactional(), "what was answered is written"),
        [page] => assert!(two.text(&page.page).await.contains("The second paragraph.")),
        more => panic!("{more:?}"),
    }
}

async fn of_two_that_make_the_same_one_does(bench: Bench) {
    let (one, two) = ((bench.view)(), (bench.view)());
    if !one.backend.transactional() {
        // Whoever cannot refuse the second one has the lease alone (rule 11).
        return;
    }
    for view in [&one, &two] {
        assert!(view.list(&bench).await.is_empty());
        view.make(&bench, "A-1", "First", BODY).await;
    }
    let saved = futures::join!(one.save(), two.save());
    assert!(
        matches!(saved, (Ok(()), Err(StateError::Moved)) | (Err(StateError::Moved), Ok(()))),
        "{saved:?}"
    );
    assert_eq!((bench.view)().list(&bench).await.len(), 1);
}

macro_rules! suite {
    ($($test:ident),* $(,)?) => {
        mod with_notion { $(#[tokio::test(flavor = "multi_thread")] async fn $test() { super::$test(super::notion().await).await; })* }
        mod with_sqlite { $(#[tokio::test(flavor = "multi_thread")] async fn $test() { super::$test(super::sqlite().await).await; })* }
        mod with_postgres { $(#[tokio::test(flavor = "multi_thread")] async fn $test() { super::$test(super::postgres().await).await; })* }
    };
}

suite!(
    what_is_written_is_read_and_writing_it_again_changes_nothing,
    a_write_on_a_text_that_changed_changes_nothing,
    what_is_deleted_is_marked_and_comes_back,
    any_text_comes_back,
    a_long_body_is_whole,
    of_writers_at_once_none_is_lost,
    after_a_crash_a_page_is_whole_or_not_there,
    of_two_that_make_the_same_one_does,
);
