-- Version 1 of the tables (docs/backends.md). Run by `init` in one transaction.

CREATE TABLE artifacts (
  n            INTEGER PRIMARY KEY,
  uid          TEXT NOT NULL UNIQUE DEFAULT ('r' || lower(hex(randomblob(12)))),
  kind         TEXT,
  id           TEXT,
  title        TEXT,
  status       TEXT,
  properties   TEXT,
  body         TEXT,
  version      INTEGER NOT NULL DEFAULT 1,
  body_version INTEGER NOT NULL DEFAULT 1,
  change       INTEGER NOT NULL DEFAULT 0,
  hash         TEXT,
  author       TEXT,
  created_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  updated_at   TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now')),
  deleted_at   TEXT
);
CREATE INDEX artifacts_by_id ON artifacts (kind, id);
CREATE INDEX artifacts_by_change ON artifacts (change);

CREATE TABLE artifact_versions (
  uid        TEXT NOT NULL,
  version    INTEGER NOT NULL,
  kind       TEXT,
  id         TEXT,
  title      TEXT,
  status     TEXT,
  properties TEXT,
  body       TEXT,
  hash       TEXT,
  author     TEXT,
  written_at TEXT NOT NULL,
  deleted_at TEXT
);
CREATE INDEX artifact_versions_by_uid ON artifact_versions (uid, version);

CREATE TABLE links (
  from_kind TEXT,
  from_id   TEXT,
  to_kind   TEXT NOT NULL,
  to_id     TEXT NOT NULL,
  type      TEXT NOT NULL,
  uid       TEXT NOT NULL
);
CREATE INDEX links_by_uid ON links (uid);
CREATE INDEX links_by_target ON links (to_kind, to_id);

CREATE TABLE sync_kinds (kind TEXT PRIMARY KEY, title TEXT NOT NULL);
-- Properties that name other artifacts, from the configuration.
CREATE TABLE sync_relations (
  kind TEXT NOT NULL, property TEXT NOT NULL, target TEXT NOT NULL, PRIMARY KEY (kind, property)
);
CREATE TABLE sync_meta (version INTEGER NOT NULL, change INTEGER NOT NULL);
INSERT INTO sync_meta VALUES (1, 0);
CREATE TABLE sync_commits (n INTEGER PRIMARY KEY, message TEXT NOT NULL, at INTEGER NOT NULL);
CREATE TABLE sync_files (
  path        TEXT NOT NULL,
  from_commit INTEGER NOT NULL,
  to_commit   INTEGER,
  content     BLOB NOT NULL,
  PRIMARY KEY (path, from_commit)
);
CREATE TABLE sync_lease (n INTEGER NOT NULL, content TEXT NOT NULL);

CREATE VIRTUAL TABLE artifacts_search USING fts5 (
  title, body, content = 'artifacts', content_rowid = 'n'
);

-- Whoever writes a row: its version, its change number, its history, its links and the search follow.
CREATE TRIGGER artifacts_inserted AFTER INSERT ON artifacts BEGIN
  UPDATE sync_meta SET change = change + 1;
  UPDATE artifacts SET version = 1, body_version = 1, change = (SELECT change FROM sync_meta) WHERE n = NEW.n;
  INSERT INTO artifact_versions VALUES (NEW.uid, 1, NEW.kind, NEW.id, NEW.title, NEW.status, NEW.properties,
    NEW.body, NEW.hash, NEW.author, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), NEW.deleted_at);
  INSERT INTO artifacts_search (rowid, title, body) VALUES (NEW.n, NEW.title, NEW.body);
  INSERT INTO links SELECT NEW.kind, NEW.id, r.target, m.value, r.property, NEW.uid
    FROM sync_relations r, json_each(
      CASE WHEN json_valid(NEW.properties) THEN NEW.properties ELSE '{}' END, '$."' || r.property || '"') m
    WHERE r.kind = NEW.kind AND NEW.deleted_at IS NULL AND m.type = 'text';
END;

CREATE TRIGGER artifacts_updated
AFTER UPDATE OF kind, id, title, status, properties, body, deleted_at ON artifacts
WHEN OLD.kind IS NOT NEW.kind OR OLD.id IS NOT NEW.id OR OLD.title IS NOT NEW.title
  OR OLD.status IS NOT NEW.status OR OLD.properties IS NOT NEW.properties OR OLD.body IS NOT NEW.body
  OR OLD.deleted_at IS NOT NEW.deleted_at
BEGIN
  UPDATE sync_meta SET change = change + 1;
  UPDATE artifacts SET
    version = OLD.version + 1,
    body_version = CASE WHEN OLD.body IS NEW.body THEN OLD.body_version ELSE OLD.version + 1 END,
    change = (SELECT change FROM sync_meta),
    updated_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now')
    WHERE n = NEW.n;
  INSERT INTO artifact_versions VALUES (NEW.uid, OLD.version + 1, NEW.kind, NEW.id, NEW.title, NEW.status,
    NEW.properties, NEW.body, NEW.hash, NEW.author, strftime('%Y-%m-%dT%H:%M:%fZ', 'now'), NEW.deleted_at);
  INSERT INTO artifacts_search (artifacts_search, rowid, title, body)
    VALUES ('delete', OLD.n, OLD.title, OLD.body);
  INSERT INTO artifacts_search (rowid, title, body) VALUES (NEW.n, NEW.title, NEW.body);
  DELETE FROM links WHERE uid = OLD.uid;
  INSERT INTO links SELECT NEW.kind, NEW.id, r.target, m.value, r.property, NEW.uid
    FROM sync_relations r, json_each(
      CASE WHEN json_valid(NEW.properties) THEN NEW.properties ELSE '{}' END, '$."' || r.property || '"') m
    WHERE r.kind = NEW.kind AND NEW.deleted_at IS NULL AND m.type = 'text';
END;

-- A body that came without its hash is another program's: whoever wrote the row before did not write it.
CREATE TRIGGER artifacts_by_others AFTER UPDATE OF body ON artifacts
WHEN OLD.body IS NOT NEW.body AND OLD.hash IS NEW.hash
BEGIN
  UPDATE artifacts SET hash = NULL WHERE n = NEW.n;
  UPDATE artifacts SET author = NULL WHERE n = NEW.n AND OLD.author IS NEW.author AND author = 'agent-sync';
END;

-- A deletion is a mark; a row that is marked may be deleted for good.
CREATE TRIGGER artifacts_deleted BEFORE DELETE ON artifacts WHEN OLD.deleted_at IS NULL BEGIN
  UPDATE artifacts SET deleted_at = strftime('%Y-%m-%dT%H:%M:%fZ', 'now') WHERE n = OLD.n;
  SELECT RAISE(IGNORE);
END;
CREATE TRIGGER artifacts_purged AFTER DELETE ON artifacts BEGIN
  INSERT INTO artifacts_search (artifacts_search, rowid, title, body)
    VALUES ('delete', OLD.n, OLD.title, OLD.body);
  DELETE FROM links WHERE uid = OLD.uid;
END;

CREATE TRIGGER artifact_versions_kept BEFORE UPDATE ON artifact_versions BEGIN
  SELECT RAISE(ABORT, 'artifact_versions is append-only');
END;
CREATE TRIGGER artifact_versions_stay BEFORE DELETE ON artifact_versions BEGIN
  SELECT RAISE(ABORT, 'artifact_versions is append-only');
END;
