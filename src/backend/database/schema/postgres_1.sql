-- Version 1 of the tables (docs/backends.md). Run by `init` in one transaction; {schema} is the configured schema.

CREATE SEQUENCE {schema}.artifacts_change;

CREATE TABLE {schema}.artifacts (
  uid          text PRIMARY KEY DEFAULT ('r' || substr(md5(random()::text || clock_timestamp()::text), 1, 24)),
  kind         text,
  id           text,
  title        text,
  status       text,
  properties   jsonb,
  body         text,
  version      bigint NOT NULL DEFAULT 1,
  body_version bigint NOT NULL DEFAULT 1,
  change       bigint NOT NULL DEFAULT 0,
  hash         text,
  author       text,
  created_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  updated_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
  deleted_at   timestamptz,
  -- The longest text of which no vector becomes larger than PostgreSQL allows.
  search       tsvector GENERATED ALWAYS AS
    (to_tsvector('simple', left(coalesce(title, '') || ' ' || coalesce(body, ''), 150000))) STORED
);
CREATE INDEX artifacts_by_id ON {schema}.artifacts (kind, id);
CREATE INDEX artifacts_by_change ON {schema}.artifacts (change);
CREATE INDEX artifacts_search ON {schema}.artifacts USING gin (search);

CREATE TABLE {schema}.artifact_versions (
  uid        text NOT NULL,
  version    bigint NOT NULL,
  kind       text,
  id         text,
  title      text,
  status     text,
  properties jsonb,
  body       text,
  hash       text,
  author     text,
  written_at timestamptz NOT NULL,
  deleted_at timestamptz
);
CREATE INDEX artifact_versions_by_uid ON {schema}.artifact_versions (uid, version);

CREATE TABLE {schema}.links (
  from_kind text,
  from_id   text,
  to_kind   text NOT NULL,
  to_id     text NOT NULL,
  type      text NOT NULL,
  uid       text NOT NULL
);
CREATE INDEX links_by_uid ON {schema}.links (uid);
CREATE INDEX links_by_target ON {schema}.links (to_kind, to_id);

CREATE TABLE {schema}.sync_kinds (kind text PRIMARY KEY, title text NOT NULL);
-- Properties that name other artifacts, from the configuration.
CREATE TABLE {schema}.sync_relations (
  kind text NOT NULL, property text NOT NULL, target text NOT NULL, PRIMARY KEY (kind, property)
);
CREATE TABLE {schema}.sync_meta (version bigint NOT NULL);
INSERT INTO {schema}.sync_meta VALUES (1);
CREATE TABLE {schema}.sync_commits (n bigint PRIMARY KEY, message text NOT NULL, at bigint NOT NULL);
CREATE TABLE {schema}.sync_files (
  path        text NOT NULL,
  from_commit bigint NOT NULL,
  to_commit   bigint,
  content     bytea NOT NULL,
  PRIMARY KEY (path, from_commit)
);
CREATE TABLE {schema}.sync_lease (n bigint NOT NULL, content text NOT NULL);

-- Writers of artifacts follow one another: whoever has the lock keeps it until its transaction ends. So change
-- numbers are in the order of the commits, and a reader that saw one has seen all before it. The lock is taken before
-- any row is, so that two writers cannot wait for each other.
CREATE FUNCTION {schema}.artifacts_lock() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(TG_RELID::bigint + (7034::bigint << 32));
  RETURN NULL;
END $$;

-- Whoever writes a row: its version and its change number follow.
CREATE FUNCTION {schema}.artifacts_change() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    NEW.version := 1;
    NEW.body_version := 1;
    NEW.author := coalesce(NEW.author, session_user);
  ELSE
    NEW.uid := OLD.uid;
    NEW.version := OLD.version;
    NEW.body_version := OLD.body_version;
    NEW.change := OLD.change;
    IF NEW.kind IS NOT DISTINCT FROM OLD.kind AND NEW.id IS NOT DISTINCT FROM OLD.id
      AND NEW.title IS NOT DISTINCT FROM OLD.title AND NEW.status IS NOT DISTINCT FROM OLD.status
      AND NEW.properties IS NOT DISTINCT FROM OLD.properties AND NEW.body IS NOT DISTINCT FROM OLD.body
      AND NEW.deleted_at IS NOT DISTINCT FROM OLD.deleted_at THEN
      RETURN NEW;
    END IF;
    NEW.version := OLD.version + 1;
    IF NEW.body IS DISTINCT FROM OLD.body THEN
      NEW.body_version := NEW.version;
      -- A body that came without its hash is another program's.
      IF NEW.hash IS NOT DISTINCT FROM OLD.hash AND NEW.author IS NOT DISTINCT FROM OLD.author THEN
        NEW.author := session_user;
      END IF;
    END IF;
    NEW.updated_at := clock_timestamp();
  END IF;
  NEW.hash := encode(sha256(convert_to(NEW.body, 'UTF8')), 'hex');
  NEW.change := nextval('{schema}.artifacts_change');
  RETURN NEW;
END $$;

-- Its history and its links follow, too.
CREATE FUNCTION {schema}.artifacts_follow() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
BEGIN
  IF TG_OP = 'DELETE' THEN
    DELETE FROM links WHERE uid = OLD.uid;
    RETURN NULL;
  END IF;
  IF TG_OP = 'UPDATE' THEN
    IF NEW.version = OLD.version THEN
      RETURN NULL;
    END IF;
    DELETE FROM links WHERE uid = NEW.uid;
  END IF;
  INSERT INTO artifact_versions VALUES (NEW.uid, NEW.version, NEW.kind, NEW.id, NEW.title, NEW.status,
    NEW.properties, NEW.body, NEW.hash, NEW.author, NEW.updated_at, NEW.deleted_at);
  INSERT INTO links SELECT * FROM artifact_links(NEW.uid, NEW.kind, NEW.id, NEW.properties)
    WHERE NEW.deleted_at IS NULL;
  RETURN NULL;
END $$;

CREATE FUNCTION {schema}.artifact_links(uid text, kind text, id text, properties jsonb)
RETURNS SETOF {schema}.links LANGUAGE sql STABLE SET search_path = {schema}, pg_temp AS $$
  SELECT $2, $3, r.target, m.value #>> '{}', r.property, $1
  FROM sync_relations r, jsonb_array_elements(
    CASE jsonb_typeof($4 -> r.property)
      WHEN 'array' THEN $4 -> r.property
      WHEN 'string' THEN jsonb_build_array($4 -> r.property)
      ELSE '[]' END) m
  WHERE r.kind = $2 AND jsonb_typeof($4) = 'object' AND jsonb_typeof(m.value) = 'string'
$$;

-- A deletion is a mark; a row that is marked may be deleted for good.
CREATE FUNCTION {schema}.artifacts_mark() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = {schema}, pg_temp AS $$
BEGIN
  IF OLD.deleted_at IS NULL THEN
    UPDATE artifacts SET deleted_at = clock_timestamp() WHERE uid = OLD.uid;
    RETURN NULL;
  END IF;
  RETURN OLD;
END $$;

CREATE FUNCTION {schema}.artifacts_refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION '% of % is not allowed', TG_OP, TG_TABLE_NAME;
END $$;

CREATE TRIGGER a_lock BEFORE INSERT OR UPDATE OR DELETE ON {schema}.artifacts
  FOR EACH STATEMENT EXECUTE FUNCTION {schema}.artifacts_lock();
CREATE TRIGGER b_change BEFORE INSERT OR UPDATE ON {schema}.artifacts
  FOR EACH ROW EXECUTE FUNCTION {schema}.artifacts_change();
CREATE TRIGGER b_mark BEFORE DELETE ON {schema}.artifacts
  FOR EACH ROW EXECUTE FUNCTION {schema}.artifacts_mark();
CREATE TRIGGER c_follow AFTER INSERT OR UPDATE OR DELETE ON {schema}.artifacts
  FOR EACH ROW EXECUTE FUNCTION {schema}.artifacts_follow();
CREATE TRIGGER d_refuse BEFORE TRUNCATE ON {schema}.artifacts
  FOR EACH STATEMENT EXECUTE FUNCTION {schema}.artifacts_refuse();
CREATE TRIGGER d_refuse BEFORE UPDATE OR DELETE OR TRUNCATE ON {schema}.artifact_versions
  FOR EACH STATEMENT EXECUTE FUNCTION {schema}.artifacts_refuse();
