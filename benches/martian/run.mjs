// Times martian (Markdown to blocks) and notion-to-md (blocks to Markdown) over a list of files.
import { readFileSync } from 'node:fs';
import { markdownToBlocks } from '@tryfabric/martian';
import { NotionToMarkdown } from 'notion-to-md';

const [, , list, ours] = process.argv;
const texts = readFileSync(list, 'utf8').trim().split('\n').map((path) => readFileSync(path, 'utf8'));
const n2m = new NotionToMarkdown({ notionClient: {} });

// Blocks as the API answers with them: plain text beside each piece, children fetched on their own.
function answered(blocks, out = []) {
  for (const block of blocks) {
    const held = block[block.type];
    for (const pieces of [held.rich_text, held.caption, ...(held.cells ?? [])]) {
      for (const piece of pieces ?? []) {
        piece.plain_text = piece.text?.content ?? '';
        piece.href = piece.text?.link?.url ?? null;
        piece.annotations ??= {};
      }
    }
    // A table is answered together with its rows; without a client they cannot be fetched.
    if (block.type !== 'table') out.push({ ...block, has_children: false });
    if (held.children) answered(held.children, out);
  }
  return out.filter((block) => block.type !== 'table_row');
}

let best = Infinity;
for (let round = 0; round < 4; round += 1) {
  let took = 0;
  let failed = 0;
  for (const text of texts) {
    try {
      let start = performance.now();
      const blocks = markdownToBlocks(text, { notionLimits: { truncate: false } });
      took += performance.now() - start;
      const there = answered(blocks);
      start = performance.now();
      n2m.toMarkdownString(await n2m.blocksToMarkdown(there));
      took += performance.now() - start;
    } catch {
      failed += 1;
    }
  }
  best = Math.min(best, took);
  if (round === 0 && failed) console.log(`${failed} of ${texts.length} files fail in martian or notion-to-md`);
}
const ratio = best / Number(ours);
console.log(`martian and notion-to-md ${best.toFixed(0)} ms, ours ${ours} ms: ${ratio.toFixed(1)} times faster`);
if (!(Number(ours) > 0 && ratio >= 20)) process.exit(1);
