// Drives the simulator with Notion's own SDK: what it sends must be taken, and what it reads must be there.

import assert from "node:assert/strict";
import { test } from "node:test";
import {
  APIErrorCode,
  APIResponseError,
  Client,
  ClientErrorCode,
  collectPaginatedAPI,
  isFullBlock,
  isFullDatabase,
  isFullDataSource,
  isFullPage,
  iteratePaginatedAPI,
} from "@notionhq/client";

const { SIM_URL, SIM_TOKEN, SIM_PARENT } = process.env;

function client(options = {}) {
  return new Client({ auth: SIM_TOKEN, baseUrl: SIM_URL, notionVersion: "2026-03-11", ...options });
}

async function control(action, body) {
  const answer = await fetch(`${SIM_URL}/_sim/${action}`, { method: "POST", body: JSON.stringify(body) });
  const json = await answer.json();
  assert.equal(answer.status, 200, JSON.stringify(json));
  return json;
}

const notion = client();
const text = (content) => [{ text: { content } }];

async function stories(title) {
  const database = await notion.databases.create({
    parent: { type: "page_id", page_id: SIM_PARENT },
    title: text(title),
    initial_data_source: {
      properties: {
        Name: { title: {} },
        ID: { rich_text: {} },
        Status: { select: { options: [{ name: "TO_DO", color: "red" }, { name: "DONE" }] } },
        Stage: { status: {} },
        Points: { number: { format: "number" } },
        Tags: { multi_select: { options: [] } },
        Due: { date: {} },
        Done: { checkbox: {} },
      },
    },
  });
  assert.ok(isFullDatabase(database));
  assert.equal(database.data_sources.length, 1);
  return { database, source: database.data_sources[0].id };
}

function story(source, id, more = {}, markdown = undefined) {
  return notion.pages.create({
    parent: { type: "data_source_id", data_source_id: source },
    properties: { Name: { title: text(`Story ${id}`) }, ID: { rich_text: text(id) }, ...more },
    ...(markdown === undefined ? {} : { markdown }),
  });
}

async function refused(promise, status, code) {
  await assert.rejects(promise, (error) => {
    assert.ok(APIResponseError.isAPIResponseError?.(error) ?? error instanceof APIResponseError, String(error));
    assert.equal(error.status, status, error.message);
    assert.equal(error.code, code, error.message);
    assert.match(error.request_id, /^[0-9a-f-]{36}$/);
    return true;
  });
}

test("users", async () => {
  const me = await notion.users.me({});
  assert.equal(me.type, "bot");
  const users = await collectPaginatedAPI(notion.users.list, {});
  assert.ok(users.some((user) => user.name === "Ada" && user.person.email));
  assert.equal((await notion.users.retrieve({ user_id: me.id })).id, me.id);
});

test("a database, its data source and its schema", async () => {
  const { database, source } = await stories("Schema");
  const read = await notion.databases.retrieve({ database_id: database.id });
  assert.equal(read.title[0].plain_text, "Schema");
  let schema = await notion.dataSources.retrieve({ data_source_id: source });
  assert.ok(isFullDataSource(schema));
  assert.equal(schema.properties.Name.id, "title");
  assert.deepEqual(schema.properties.Status.select.options.map((option) => option.name), ["TO_DO", "DONE"]);
  assert.equal(schema.properties.Stage.status.groups.length, 3);
  const id = schema.properties.Points.id;
  schema = await notion.dataSources.update({
    data_source_id: source,
    properties: { Points: { name: "Effort" }, Done: null, Owner: { people: {} } },
  });
  assert.equal(schema.properties.Effort.id, id);
  assert.ok(!("Done" in schema.properties) && "Owner" in schema.properties);
  await refused(
    notion.dataSources.retrieve({ data_source_id: database.id }),
    404,
    APIErrorCode.ObjectNotFound,
  );
  const renamed = await notion.databases.update({ database_id: database.id, title: text("Renamed") });
  assert.equal(renamed.title[0].plain_text, "Renamed");
  await notion.databases.update({ database_id: database.id, in_trash: true });
  await refused(notion.dataSources.query({ data_source_id: source }), 404, APIErrorCode.ObjectNotFound);
});

test("pages: properties, trash, property items", async () => {
  const { source } = await stories("Pages");
  const page = await story(source, "INFRA-001", {
    Status: { select: { name: "TO_DO" } },
    Stage: { status: { name: "In progress" } },
    Points: { number: 3 },
    Tags: { multi_select: [{ name: "new" }, { name: "newer" }] },
    Due: { date: { start: "2026-12-01" } },
    Done: { checkbox: true },
  });
  assert.ok(isFullPage(page));
  assert.equal(page.properties.Status.select.name, "TO_DO");
  assert.deepEqual(page.properties.Tags.multi_select.map((tag) => tag.name), ["new", "newer"]);
  assert.equal(page.properties.Due.date.start, "2026-12-01");
  assert.equal(page.parent.data_source_id, source);
  assert.match(page.last_edited_time, /:00\.000Z$/);
  const updated = await notion.pages.update({
    page_id: page.id,
    properties: { Status: { select: null }, [page.properties.Points.id]: { number: 5 } },
  });
  assert.equal(updated.properties.Status.select, null);
  assert.equal(updated.properties.Points.number, 5);
  assert.equal(updated.properties.Stage.status.name, "In progress");
  const item = await notion.pages.properties.retrieve({ page_id: page.id, property_id: page.properties.ID.id });
  assert.equal(item.object, "list");
  assert.equal(item.results[0].rich_text.plain_text, "INFRA-001");
  await notion.pages.update({ page_id: page.id, in_trash: true });
  assert.equal((await notion.pages.retrieve({ page_id: page.id })).in_trash, true);
  assert.equal((await notion.dataSources.query({ data_source_id: source })).results.length, 0);
  await refused(notion.blocks.children.list({ block_id: page.id }), 404, APIErrorCode.ObjectNotFound);
  await refused(
    notion.pages.update({ page_id: page.id, properties: { Points: { number: 1 } } }),
    400,
    APIErrorCode.ValidationError,
  );
  await notion.pages.update({ page_id: page.id, in_trash: false });
  assert.equal((await notion.dataSources.query({ data_source_id: source })).results[0].id, page.id);
});

test("queries: filters, sorts and iteration", async () => {
  const { source } = await stories("Queries");
  for (let n = 1; n <= 7; n += 1) {
    await story(source, `Q-${n}`, {
      Points: { number: n },
      Status: { select: { name: n % 2 ? "TO_DO" : "DONE" } },
    });
  }
  const points = (pages) => pages.map((page) => page.properties.Points.number);
  const found = await notion.dataSources.query({
    data_source_id: source,
    filter: {
      and: [
        { property: "Status", select: { equals: "TO_DO" } },
        { or: [{ property: "Points", number: { greater_than: 4 } }, { property: "ID", rich_text: { equals: "Q-1" } }] },
      ],
    },
    sorts: [{ property: "Points", direction: "descending" }],
  });
  assert.deepEqual(points(found.results), [7, 5, 1]);
  const since = await notion.dataSources.query({
    data_source_id: source,
    filter: { timestamp: "last_edited_time", last_edited_time: { on_or_after: found.results[0].last_edited_time } },
  });
  assert.equal(since.results.length, 7);
  const all = [];
  for await (const page of iteratePaginatedAPI(notion.dataSources.query, {
    data_source_id: source,
    page_size: 3,
    sorts: [{ timestamp: "created_time", direction: "ascending" }],
  })) {
    all.push(page);
  }
  assert.deepEqual(points(all), [1, 2, 3, 4, 5, 6, 7]);
  const narrow = await notion.dataSources.query({
    data_source_id: source,
    filter_properties: [found.results[0].properties.Points.id],
  });
  assert.deepEqual(Object.keys(narrow.results[0].properties), ["Points"]);
  await refused(
    notion.dataSources.query({ data_source_id: source, filter: { property: "Nope", number: { equals: 1 } } }),
    400,
    APIErrorCode.ValidationError,
  );
});

test("markdown: write, read, edit conditionally", async () => {
  const { source } = await stories("Markdown");
  const page = await story(source, "M-1", {}, "## Context\nOne **bold** word.\n- [ ] task\n\t- child\n```js\nlet a = 1;\n```");
  const read = await notion.pages.retrieveMarkdown({ page_id: page.id });
  assert.equal(read.object, "page_markdown");
  assert.equal(read.truncated, false);
  assert.equal(
    read.markdown,
    "## Context\nOne **bold** word.\n- [ ] task\n\t- child\n```javascript\nlet a = 1;\n```",
  );
  const before = (await notion.blocks.children.list({ block_id: page.id })).results;
  const written = await notion.pages.updateMarkdown({
    page_id: page.id,
    type: "update_content",
    update_content: { content_updates: [{ old_str: "One **bold** word.", new_str: "Two words." }] },
  });
  assert.match(written.markdown, /^Two words\.$/m);
  const after = (await notion.blocks.children.list({ block_id: page.id })).results;
  const same = after.filter((block) => before.some((old) => old.id === block.id)).map((block) => block.type);
  assert.deepEqual(same, ["heading_2", "to_do", "code"]);
  await refused(
    notion.pages.updateMarkdown({
      page_id: page.id,
      type: "update_content",
      update_content: { content_updates: [{ old_str: "One **bold** word.", new_str: "Three." }] },
    }),
    400,
    APIErrorCode.ValidationError,
  );
  const replaced = await notion.pages.updateMarkdown({
    page_id: page.id,
    type: "replace_content",
    replace_content: { new_str: "# Top\nText" },
  });
  assert.equal(replaced.markdown, "# Top\nText");
});

test("blocks: append, update, delete", async () => {
  const { source } = await stories("Blocks");
  const page = await story(source, "B-1");
  const { results } = await notion.blocks.children.append({
    block_id: page.id,
    children: [
      { heading_2: { rich_text: text("Title") } },
      { bulleted_list_item: { rich_text: text("item"), children: [{ paragraph: { rich_text: text("inside") } }] } },
      { code: { rich_text: text("let x;"), language: "rust" } },
      { bookmark: { url: "https://example.com" } },
    ],
  });
  assert.ok(results.every(isFullBlock));
  assert.deepEqual(results.map((block) => block.type), ["heading_2", "bulleted_list_item", "code", "bookmark"]);
  assert.equal(results[1].has_children, true);
  const child = (await notion.blocks.children.list({ block_id: results[1].id })).results[0];
  assert.equal(child.paragraph.rich_text[0].plain_text, "inside");
  assert.deepEqual(child.parent, { type: "block_id", block_id: results[1].id });
  const updated = await notion.blocks.update({ block_id: results[0].id, heading_2: { rich_text: text("Other") } });
  assert.equal(updated.id, results[0].id);
  const after = await notion.blocks.children.append({
    block_id: page.id,
    position: { type: "after_block", after_block: { id: results[0].id } },
    children: [{ divider: {} }],
  });
  assert.equal(after.results[0].type, "divider");
  await notion.blocks.delete({ block_id: results[2].id });
  const listed = (await notion.blocks.children.list({ block_id: page.id })).results.map((block) => block.type);
  assert.deepEqual(listed, ["heading_2", "divider", "bulleted_list_item", "bookmark"]);
  const markdown = (await notion.pages.retrieveMarkdown({ page_id: page.id })).markdown;
  assert.match(markdown, /<unknown url="[^"]+" alt="bookmark"\/>/);
  await refused(
    notion.blocks.children.append({
      block_id: page.id,
      children: Array.from({ length: 101 }, () => ({ divider: {} })),
    }),
    400,
    APIErrorCode.ValidationError,
  );
});

test("comments", async () => {
  const { source } = await stories("Comments");
  const page = await story(source, "C-1", {}, "A paragraph");
  const first = await notion.comments.create({ parent: { page_id: page.id }, rich_text: text("Hello") });
  await notion.comments.create({ discussion_id: first.discussion_id, rich_text: text("Again") });
  const listed = await collectPaginatedAPI(notion.comments.list, { block_id: page.id });
  assert.deepEqual(listed.map((comment) => comment.rich_text[0].plain_text), ["Hello", "Again"]);
  assert.equal((await notion.comments.retrieve({ comment_id: first.id })).id, first.id);
});

test("search finds pages and data sources by title", async () => {
  const { source } = await stories("Searchable");
  await story(source, "S-1");
  const sources = await notion.search({ query: "Searchable", filter: { property: "object", value: "data_source" } });
  assert.deepEqual(sources.results.map((found) => found.id), [source]);
  const pages = await notion.search({ query: "Story S-1", filter: { property: "object", value: "page" } });
  assert.equal(pages.results.length, 1);
});

test("errors come as the SDK's own", async () => {
  await refused(client({ auth: "wrong" }).users.me({}), 401, APIErrorCode.Unauthorized);
  await refused(notion.pages.retrieve({ page_id: "00000000-0000-4000-8000-00000000dead" }), 404, APIErrorCode.ObjectNotFound);
  const { source } = await stories("Errors");
  await refused(story(source, "E-1", { Nope: { number: 1 } }), 400, APIErrorCode.ValidationError);
  await refused(story(source, "E-1", { Stage: { status: { name: "planned" } } }), 400, APIErrorCode.ValidationError);
  await refused(story(source, "E-1", { Status: { select: { name: "a, b" } } }), 400, APIErrorCode.ValidationError);
  assert.equal((await notion.dataSources.query({ data_source_id: source })).results.length, 0);
});

test("429 is retried after Retry-After, a lost answer is not", async () => {
  const { source } = await stories("Retries");
  await control("fault", { endpoint: "POST /v1/pages", kind: { name: "rate_limited", retry_after: 1 } });
  const began = Date.now();
  await story(source, "R-1");
  assert.ok(Date.now() - began >= 900);
  await control("fault", { endpoint: "POST /v1/pages", kind: { name: "error_after", status: 503, with_guidance: true } });
  await assert.rejects(story(source, "R-2"), (error) => {
    assert.equal(error.code, APIErrorCode.ServiceUnavailable);
    assert.match(error.additional_data.committed_resource_id, /^[0-9a-f-]{36}$/);
    return true;
  });
  assert.equal((await notion.dataSources.query({ data_source_id: source })).results.length, 2);
  await control("fault", { endpoint: "GET /v1/users/me", kind: { name: "edge_html", status: 403 } });
  await assert.rejects(notion.users.me({}), (error) => error.code === ClientErrorCode.ResponseError);
});

test("a person edits and the API sees it", async () => {
  const { source } = await stories("People");
  const page = await story(source, "P-1", {}, "First\nSecond");
  await control("person", { action: "edit_block", page: page.id, containing: "First", text: "Changed" });
  await control("person", { action: "set_property", page: page.id, property: "Status", value: "DONE" });
  await control("person", { action: "add_block", page: page.id, block: { bookmark: "https://example.com" } });
  const read = await notion.pages.retrieveMarkdown({ page_id: page.id });
  assert.match(read.markdown, /^Changed\nSecond\n<unknown /);
  const again = await notion.pages.retrieve({ page_id: page.id });
  assert.equal(again.properties.Status.select.name, "DONE");
  assert.notEqual(again.last_edited_by.id, again.created_by.id);
});

test("markdown v2 goes where the SDK lets any parameter through", async () => {
  const { source } = await stories("Version 2");
  const page = await story(source, "V-1", {}, "Text <span underline=\"true\">u</span>\n> quote {color=\"red\"}");
  const path = `pages/${page.id}/markdown`;
  const read = await notion.request({ path, method: "get", query: { markdown_version: "v2" } });
  assert.equal(read.markdown, 'Text <u>u</u>\n\n<quote color="red">quote</quote>');
  const written = await notion.request({
    path,
    method: "patch",
    body: {
      type: "update_content",
      update_content: { content_updates: [{ old_str: "<u>u</u>", new_str: "<b>b</b>" }] },
      markdown_version: "v2",
    },
  });
  assert.equal(written.markdown, 'Text **b**\n\n<quote color="red">quote</quote>');
  await refused(
    notion.request({ path, method: "get", query: { markdown_version: "v3" } }),
    400,
    APIErrorCode.ValidationError,
  );
});

test("file uploads: send, attach, list", async () => {
  const { source } = await stories("Uploads");
  const page = await story(source, "U-1");
  const created = await notion.fileUploads.create({
    mode: "single_part",
    filename: "a.png",
    content_type: "image/png",
  });
  assert.equal(created.status, "pending");
  const sent = await notion.fileUploads.send({
    file_upload_id: created.id,
    file: { filename: "a.png", data: new Blob(["bytes"], { type: "image/png" }) },
  });
  assert.equal(sent.status, "uploaded");
  assert.equal(sent.content_length, 5);
  const { results } = await notion.blocks.children.append({
    block_id: page.id,
    children: [{ image: { type: "file_upload", file_upload: { id: created.id } } }],
  });
  assert.equal(results[0].image.type, "file");
  assert.match(results[0].image.file.url, /a\.png\?/);
  const listed = await collectPaginatedAPI(notion.fileUploads.list, {});
  assert.ok(listed.some((upload) => upload.id === created.id && upload.status === "uploaded"));
  assert.equal((await notion.fileUploads.retrieve({ file_upload_id: created.id })).status, "uploaded");
});

test("properties that are cut are read whole", async () => {
  const { source } = await stories("Relations");
  await notion.dataSources.update({
    data_source_id: source,
    properties: { Rel: { relation: { data_source_id: source, single_property: {} } } },
  });
  const targets = [];
  for (let n = 0; n < 27; n += 1) targets.push({ id: (await story(source, `T-${n}`)).id });
  const page = await story(source, "R", { Rel: { relation: targets } });
  assert.equal(page.properties.Rel.relation.length, 25);
  assert.equal(page.properties.Rel.has_more, true);
  const all = await collectPaginatedAPI(notion.pages.properties.retrieve, {
    page_id: page.id,
    property_id: page.properties.Rel.id,
    page_size: 10,
  });
  assert.deepEqual(all.map((item) => item.relation.id), targets.map((target) => target.id));
});

test("views", async () => {
  const { database, source } = await stories("Views");
  const schema = await notion.dataSources.retrieve({ data_source_id: source });
  const view = await notion.views.create({
    data_source_id: source,
    database_id: database.id,
    name: "By stage",
    type: "board",
    configuration: {
      type: "board",
      group_by: {
        type: "status",
        group_by: "option",
        property_id: schema.properties.Stage.id,
        sort: { type: "manual" },
      },
    },
  });
  assert.equal(view.object, "view");
  assert.equal(view.parent.database_id, database.id);
  const listed = await collectPaginatedAPI(notion.views.list, { database_id: database.id, page_size: 1 });
  assert.ok(listed.some((stub) => stub.id === view.id) && listed.length === 2);
  const read = await notion.views.retrieve({ view_id: view.id });
  assert.equal(read.configuration.group_by.property_id, schema.properties.Stage.id);
  const renamed = await notion.views.update({ view_id: view.id, name: "Stages" });
  assert.equal(renamed.name, "Stages");
  assert.equal((await notion.views.delete({ view_id: view.id })).id, view.id);
  await refused(notion.views.retrieve({ view_id: view.id }), 404, APIErrorCode.ObjectNotFound);
});
