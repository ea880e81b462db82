// Times martian (Markdown to blocks) and notion-to-md (blocks to Markdown) over a list of files, and says what they
// fail on and lose on the way. Their Notion is a map in memory that answers at once.
import { readFileSync } from 'node:fs';
import { markdownToBlocks } from '@tryfabric/martian';
import { NotionToMarkdown } from 'notion-to-md';

const ROUNDS = 2;
const TIMES = 20;

const [, , list, ours] = process.argv;
const texts = readFileSync(list, 'utf8').trim().split('\n').map((path) => readFileSync(path, 'utf8'));

const children = new Map();
const notionClient = {
  blocks: { children: { list: async ({ block_id: id }) => ({ results: children.get(id), next_cursor: null }) } },
};
const n2m = new NotionToMarkdown({ notionClient });

// Blocks as the API answers with them: plain text beside each piece, an id, children fetched on their own.
function answered(block) {
  const { children: inside = [], ...held } = block[block.type];
  if (block.type === 'image') held.caption ??= [];
  for (const pieces of [held.rich_text, held.caption, ...(held.cells ?? [])]) {
    for (const piece of pieces ?? []) {
      piece.plain_text = piece.text?.content ?? piece.equation?.expression ?? '';
      piece.href = piece.text?.link?.url ?? null;
      piece.annotations ??= {};
    }
  }
  const id = String(children.size);
  children.set(id, []);
  children.set(id, inside.map(answered));
  return { ...block, id, [block.type]: held, has_children: inside.length > 0 };
}

const words = (text) => text.match(/[\p{L}\p{N}]+/gu) ?? [];

// How many words of a text another one does not hold.
function missing(from, to) {
  const there = new Map();
  for (const word of words(to)) there.set(word, (there.get(word) ?? 0) + 1);
  return words(from).filter((word) => {
    const left = there.get(word) ?? 0;
    there.set(word, left - 1);
    return left <= 0;
  }).length;
}

let best = Infinity;
for (let round = 0; round < ROUNDS; round += 1) {
  let took = 0;
  const failures = new Map();
  let lossy = 0;
  let lost = 0;
  for (const text of texts) {
    const start = performance.now();
    let between = 0;
    let back = '';
    try {
      const blocks = markdownToBlocks(text, { notionLimits: { truncate: false } });
      const sent = performance.now();
      children.clear();
      const there = blocks.map(answered);
      between = performance.now() - sent;
      back = n2m.toMarkdownString(await n2m.blocksToMarkdown(there)).parent ?? '';
    } catch (error) {
      failures.set(error.message, (failures.get(error.message) ?? 0) + 1);
    }
    took += performance.now() - start - between;
    const gone = round === 0 ? missing(text, back) : 0;
    lossy += gone > 0;
    lost += gone;
  }
  best = Math.min(best, took);
  if (round === 0) {
    for (const [message, times] of failures) console.log(`they fail on ${times} of ${texts.length} files: ${message}`);
    const share = (100 * lost) / texts.reduce((sum, text) => sum + words(text).length, 0);
    console.log(`they lose words of ${lossy} of ${texts.length} files, ${share.toFixed(1)} % of all`);
  }
}
const ratio = best / Number(ours);
console.log(`martian and notion-to-md ${best.toFixed(0)} ms, ours ${ours} ms: ${ratio.toFixed(0)} times faster`);
if (!(Number(ours) > 0 && ratio >= TIMES)) process.exitCode = 1;
