// SPDX-License-Identifier: MIT
//
// Draws docs/layers.svg from scripts/layers.mjs: the floors of lib/ above those of native/.
//
//   node scripts/draw-layers.mjs [--check]
//
// With --check it writes nothing, and fails if the file is not what it would write.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { layers } from './layers.mjs';
import { main, root } from './support.mjs';

/** @typedef {import('./layers.mjs').Folder} Folder */
/** @typedef {import('./layers.mjs').Layers} Layers */

// Lengths are pixels.
const WIDTH = 800;
const MARGIN = 4;
const PADDING = 16;
const GAP = 8;
const HEADING = 40;
const BETWEEN_PANELS = 36;
const LINE = 16;

/** Of the smaller text, which every system draws with a font of its own. */
const WIDEST_CHARACTER = 6.8;

// Each panel has a background of its own, so that the text is readable on a page of either colour.
const STYLE = `
  text { font: 12.5px system-ui, -apple-system, 'Segoe UI', sans-serif; fill: #424a53; }
  .heading { font-size: 15px; font-weight: 600; fill: #1f2328; }
  .name { font: 600 14px ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #1f2328; }
  .rule { font-style: italic; }
  .lib { fill: #ddf4ff; stroke: #54aeff; }
  .native { fill: #fff1e5; stroke: #fb8f44; }
  .folder { fill: #ffffff; stroke: #afb8c1; }
  .arrow { fill: none; stroke: #6e7781; stroke-width: 1.5; }
  @media (prefers-color-scheme: dark) {
    text { fill: #b1bac4; }
    .heading, .name { fill: #f0f6fc; }
    .lib { fill: #0c2d4d; stroke: #388bfd; }
    .native { fill: #3d2411; stroke: #db6d28; }
    .folder { fill: #161b22; stroke: #484f58; }
    .arrow { stroke: #8b949e; }
  }
`;

/** @param {string} text */
function escape(text) {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}

/**
 * @param {number} x
 * @param {number} y The base line.
 * @param {string} content
 * @param {string} [attributes]
 */
function textAt(x, y, content, attributes = '') {
  return `<text x="${x}" y="${y}"${attributes}>${escape(content)}</text>`;
}

/**
 * @param {string} text
 * @param {number} width
 */
function wrap(text, width) {
  const most = Math.floor(width / WIDEST_CHARACTER);
  /** @type {string[]} */
  const lines = [];
  for (const word of text.split(' ')) {
    const longer = lines.length === 0 ? word : `${lines.at(-1)} ${word}`;
    if (lines.length > 0 && longer.length <= most) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
}

/**
 * The folders of one floor, side by side.
 *
 * @param {readonly Folder[]} folders
 * @param {number} top
 * @returns {{ parts: string[], height: number }}
 */
function drawFloor(folders, top) {
  const inner = WIDTH - 2 * (MARGIN + PADDING);
  const step = (inner + GAP) / folders.length;
  const width = Math.floor(step - GAP);
  const meanings = folders.map(({ meaning }) => wrap(meaning, width - 2 * 10));
  const height = 32 + LINE * Math.max(...meanings.map((lines) => lines.length));
  const parts = folders.flatMap(({ name }, i) => {
    const x = MARGIN + PADDING + Math.round(i * step);
    const lines = (meanings[i] ?? []).map((line, number) => textAt(x + 10, top + 38 + LINE * number, line));
    return [
      `<rect class="folder" x="${x}.5" y="${top}.5" width="${width - 1}" height="${height - 1}" rx="5"/>`,
      textAt(x + 10, top + 20, name.includes('.') ? name : `${name}/`, ' class="name"'),
      ...lines,
    ];
  });
  return { parts, height };
}

/**
 * All floors, the highest first.
 *
 * @param {Layers} list
 * @param {string} heading
 * @param {number} top
 * @returns {{ parts: string[], height: number }}
 */
function drawPanel(list, heading, top) {
  /** @type {string[]} */
  const parts = [];
  let y = top + HEADING;
  for (const folders of list.floors.toReversed()) {
    const floor = drawFloor(folders, y);
    parts.push(...floor.parts);
    y += floor.height + GAP;
  }
  const height = y - GAP + PADDING - top;
  const right = WIDTH - MARGIN - PADDING;
  return {
    parts: [
      `<rect class="${list.root}" x="${MARGIN}.5" y="${top}.5" width="${WIDTH - 2 * MARGIN - 1}" height="${height}" rx="8"/>`,
      textAt(MARGIN + PADDING, top + 26, heading, ' class="heading"'),
      textAt(right - 22, top + 26, 'a folder imports only lower floors', ' class="rule" text-anchor="end"'),
      arrow(right - 8, top + 13, 16),
      ...parts,
    ],
    height,
  };
}

/**
 * An arrow that points down.
 *
 * @param {number} x
 * @param {number} y
 * @param {number} length
 */
function arrow(x, y, length) {
  return `<path class="arrow" d="M${x} ${y}v${length}m-5 -6l5 6l5 -6"/>`;
}

function drawLayers() {
  const upper = drawPanel(layers.lib, 'lib/: TypeScript, policy', MARGIN);
  const middle = MARGIN + upper.height;
  const lower = drawPanel(layers.native, 'native/: C++, mechanism', middle + BETWEEN_PANELS);
  const height = middle + BETWEEN_PANELS + lower.height + MARGIN + 1;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img">`,
    '<title>The layers of lib/ and native/</title>',
    `<style>${STYLE}</style>`,
    ...upper.parts,
    arrow(WIDTH / 2, middle + 8, BETWEEN_PANELS - 14),
    ...lower.parts,
    '</svg>\n',
  ].join('\n');
}

await main(() => {
  const file = path.join(root, 'docs', 'layers.svg');
  const picture = drawLayers();
  if (!process.argv.includes('--check')) writeFileSync(file, picture);
  else if (!existsSync(file) || readFileSync(file, 'utf8') !== picture) {
    throw new Error('docs/layers.svg is not what scripts/layers.mjs says: run "npm run docs:layers"');
  }
});
