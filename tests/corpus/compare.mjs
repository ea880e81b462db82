// Compares pairs of Markdown texts as markdown-it reads them, character by character with its marks. What is not
// compared is what docs/mapping.md names as a loss; its words for each loss stand at the code that passes over it.
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';

const [, , installed, pairsFile] = process.argv;
const require = createRequire(installed + '/');
const MarkdownIt = require('markdown-it');
const footnote = require('markdown-it-footnote');
const md = new (MarkdownIt.default ?? MarkdownIt)({ html: true, linkify: true });
md.linkify.set({ fuzzyLink: false, fuzzyEmail: true });
md.use(footnote.default ?? footnote);

const BREAK = '\u{1}';

// Loss "Targets": brackets, bars and backslashes are percent-encoded, the slash after a bare host may go.
function target(href) {
  const encoded = href.replace(/[\\()[\]|]/g, (c) => '%' + c.charCodeAt(0).toString(16).toUpperCase());
  return encoded.replace(/^(\w+:\/\/[^/]+)\/$/, '$1');
}

function isSendable(href) {
  const rest = /^(?:https?:\/\/|mailto:|tel:)(.*)$/is.exec(href)?.[1];
  return rest !== undefined && rest !== '' && !rest.startsWith('/');
}

// Loss "HTML": a span that sets no mark says nothing.
const TAGS = { span: 'span', b: 'strong', strong: 'strong', i: 'em', em: 'em', s: 's', del: 's', u: 'u' };

// The visible characters of inline tokens, each with its marks.
function cells(tokens, marks = {}, out = []) {
  const open = [];
  const put = (text, more = {}) => {
    for (const c of text.normalize('NFC')) out.push([c, { ...marks, ...more }]);
  };
  const image = (token) => {
    const caption = plain(token.children);
    const src = token.attrGet('src');
    // Loss "Image inside of text": it comes back as a link named by its caption.
    if (!isSendable(src)) put(`![${caption}](${src})`);
    else if (marks.link !== undefined) put(caption || src);
    else put(caption || src, { link: target(src) });
  };
  for (const token of tokens) {
    switch (token.type) {
      case 'text': case 'text_special': put(token.content); break;
      case 'code_inline': put(token.content.replace(/ /g, '\u{a0}'), { code: true }); break;
      // Loss "Hard wraps": a line ending inside of a paragraph is a space.
      case 'softbreak': put(' '); break;
      case 'hardbreak': put(BREAK); break;
      case 'strong_open': case 'em_open': case 's_open': {
        const mark = token.type.slice(0, -5);
        open.push([mark, marks]);
        marks = { ...marks, [mark]: true };
        break;
      }
      // Loss "Link titles": only the target is compared.
      case 'link_open': open.push(['link', marks]); marks = { ...marks, link: target(token.attrGet('href')) }; break;
      case 'strong_close': case 'em_close': case 's_close': case 'link_close': {
        const mark = token.type.slice(0, -6);
        marks = { ...marks, [mark]: open.pop()?.[1][mark] };
        if (marks[mark] === undefined) delete marks[mark];
        break;
      }
      case 'image': image(token); break;
      // Loss "Footnotes": the reference stays as text, the definition is kept in the file alone.
      case 'footnote_ref': put(`[^${token.meta.label}]`); break;
      case 'html_inline': html(token.content); break;
      default: put(`<<${token.type}>>`);
    }
  }
  function html(raw) {
    // Loss "Comments": kept in the file alone.
    if (raw.startsWith('<!--')) return;
    const [, slash, name] = /^<(\/?)([\w-]+)/.exec(raw) ?? [];
    if (name === 'br') { put(BREAK); return; }
    const href = name === 'a' ? /\bhref="([^"]*)"/.exec(raw)?.[1] : undefined;
    if (href !== undefined && marks.link === undefined) {
      open.push(['link', marks]);
      marks = { ...marks, link: target(href) };
      return;
    }
    // Loss "HTML": what is no mark of Notion's is literal text.
    const mark = name === 'a' && slash ? 'link' : TAGS[name];
    if (mark && !slash) {
      open.push([mark, marks]);
      marks = mark === 'span' ? marks : { ...marks, [mark]: true };
      return;
    }
    const at = mark && slash ? open.map(([m]) => m).lastIndexOf(mark) : -1;
    if (at < 0) { put(raw); return; }
    const before = open.splice(at)[0][1][mark];
    marks = { ...marks };
    if (before === undefined) delete marks[mark]; else marks[mark] = before;
  }
  return out;
}

function plain(tokens) {
  return cells(tokens).map(([c]) => (c === BREAK ? ' ' : c)).join('').replace(/[ \t\n]+/g, ' ').trim();
}

// Loss "White space": runs of it are one space, none of any kind at the edges, none beside a break, and it carries no
// marks.
function text(list) {
  const out = [];
  const blank = ([c, marks]) => c === BREAK || (/\s/.test(c) && !marks.code);
  const inside = list.slice(list.findIndex((cell) => !blank(cell)), list.findLastIndex((cell) => !blank(cell)) + 1);
  for (const [c, marks] of inside) {
    const space = /[ \t\n\r\f]/.test(c);
    const last = out.at(-1)?.[0];
    if (space && (last === undefined || last === ' ' || last === BREAK)) continue;
    if (!space && c !== BREAK && /\p{Cc}/u.test(c)) continue;
    if (c === BREAK && last === ' ') out.pop();
    if (c === BREAK && out.length === 0) continue;
    out.push([space ? ' ' : c, space || c === BREAK ? {} : marks]);
  }
  while (out.length && (out.at(-1)[0] === ' ' || out.at(-1)[0] === BREAK)) out.pop();
  // Loss "HTML": addresses in its literal text are shown as links.
  for (let n = 1; n < out.length; n += 1) {
    const { link, ...rest } = out[n][1];
    const inside = link !== undefined && out[n - 1].inHtml && out[n - 1].link === link;
    if (inside || (link !== undefined && out[n - 1][1].link !== link && '="\'>'.includes(out[n - 1][0]))) {
      out[n] = Object.assign([out[n][0], rest], { inHtml: true, link });
    }
  }
  let shown = '';
  let before = '';
  for (const [c, marks] of out) {
    const now = c === ' ' || c === BREAK ? before : Object.entries(marks).map(([k, v]) => (v === true ? k : `${k}=${v}`)).sort().join(' ');
    if (now !== before) shown += `{${now}}`;
    before = now;
    shown += c === BREAK ? '<br>' : c;
  }
  return shown;
}

// Blocks as nested lists of [name, ...].
function tree(tokens) {
  const root = ['root'];
  const stack = [root];
  let skip = 0;
  for (const token of tokens) {
    // Loss "Footnotes".
    if (token.type === 'footnote_block_open') skip += 1;
    if (token.type === 'footnote_block_close') { skip -= 1; continue; }
    if (skip) continue;
    const top = stack.at(-1);
    if (token.nesting === 1) {
      // Loss "Headings 5 and 6": they are level 4. Loss "Numbers": a list counts from 1.
      const name = token.type === 'heading_open' ? `h${Math.min(4, Number(token.tag[1]))}` : token.tag;
      const node = [name];
      top.push(node);
      stack.push(node);
    } else if (token.nesting === -1) {
      stack.pop();
    } else if (token.type === 'inline') {
      top.push(inline(token, stack));
    } else if (token.type === 'fence' && token.info.trim() === 'math') {
      top.push(['equation', token.content.trim()]);
    } else if (token.type === 'fence' || token.type === 'code_block') {
      // Loss "Languages": compared by the rows of the mapping, not here.
      top.push(['code', token.content.normalize('NFC').replace(/\n$/, '')]);
    } else if (token.type === 'hr') {
      top.push(['hr']);
    } else if (token.type === 'html_block') {
      top.push(block(token.content));
    } else {
      top.push([token.type]);
    }
  }
  return tidy(root);
}

function inline(token, stack) {
  const source = token.content.trim();
  const equation = /^\$\$([^$]*\S[^$]*)\$\$$/s.exec(source)?.[1];
  if (equation !== undefined && stack.at(-1)[0] === 'p') {
    return ['equation', equation.trim().split('\n').map((line) => line.trim()).join('\n')];
  }
  const only = token.children.length === 1 && token.children[0].type === 'image' ? token.children[0] : null;
  const inItem = stack.at(-2)?.[0] === 'li' && stack.at(-2).length === 2;
  if (only && stack.at(-1)[0] === 'p' && !inItem && isSendable(only.attrGet('src'))) {
    return ['image', plain(only.children), target(only.attrGet('src'))];
  }
  const shown = text(cells(token.children));
  // "Tasks with a capital": markdown-it knows no tasks, and GitHub shows both boxes alike.
  return inItem ? shown.replace(/^\[X\] /, '[x] ') : shown;
}

// Loss "HTML": a block of it is a paragraph of its lines.
function block(content) {
  const source = content.trim();
  if (/^(?:<!--(?:(?!-->).)*(?:-->|$)\s*)*$/s.test(source)) return ['p', ''];
  if (source === '</details>') return ['/details'];
  const summary = /^<details[^>]*>\s*<summary>(.*)<\/summary>$/.exec(source)?.[1];
  if (summary !== undefined && !summary.includes('<summary')) {
    return ['details', text(cells(md.parseInline(summary, {})[0].children))];
  }
  return ['p', text(source.split('\n').flatMap((line) => [...cells([{ type: 'text', content: line }]), [BREAK, {}]]))];
}

const LISTS = new Set(['ul', 'ol']);

// The end of a toggle without a begin is HTML like any other.
function pair(children) {
  let open = 0;
  for (const [n, child] of children.entries()) {
    if (child[0] === 'details') open += 1;
    if (child[0] === '/details' && open > 0) open -= 1;
    else if (child[0] === '/details') children[n] = ['p', '</details>'];
  }
}

function tidy(node) {
  const [name, ...rest] = node;
  const out = [name];
  pair(rest);
  for (let child of rest) {
    if (Array.isArray(child)) child = tidy(child);
    // Loss "Comments": what held nothing else is gone.
    if (Array.isArray(child) && child[0] === 'p' && (child.length === 1 || child[1] === '')) continue;
    // Loss "Two lists in a row" are one.
    const last = out.at(-1);
    if (Array.isArray(child) && Array.isArray(last) && LISTS.has(child[0]) && last[0] === child[0]) {
      last.push(...child.slice(1));
      continue;
    }
    // Loss "Loose lists": items are compared with paragraphs throughout, as markdown-it parses them.
    out.push(child);
  }
  return out;
}

function lines(node, depth = 0, out = []) {
  const [name, ...rest] = node;
  const leaf = rest.every((child) => typeof child === 'string');
  out.push('  '.repeat(depth) + name + (leaf ? ' ' + rest.join(' | ') : ''));
  if (!leaf) {
    for (const child of rest) {
      if (typeof child === 'string') out.push('  '.repeat(depth + 1) + child);
      else lines(child, depth + 1, out);
    }
  }
  return out;
}

const different = [];
for (const { name, before, after } of JSON.parse(readFileSync(pairsFile, 'utf8'))) {
  const [a, b] = [before, after].map((source) => lines(tree(md.parse(source, {}))));
  const at = a.findIndex((line, n) => line !== b[n]);
  if (at >= 0 || a.length !== b.length) {
    const from = at < 0 ? a.length : at;
    different.push({ name, before: a.slice(from, from + 3).join('\n'), after: b.slice(from, from + 3).join('\n') });
  }
}
process.stdout.write(JSON.stringify(different));
