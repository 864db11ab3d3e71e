// SPDX-License-Identifier: MIT
//
// Every Markdown page: prose wraps at 120 columns, and no process, caller or piece of code is spoken of as a person.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { packageRoot } from '../helpers/index.js';

const COLUMNS = 120;

const BANNED = /\b(?:whoever|somebody|nobody|anybody|he|him|his)\b/gi;

/** Lines that may contain a banned word or be longer, each as `page: line` with the reason above it. */
const EXCEPTIONS: readonly string[] = [];

/** Folders that hold no text of this package's own, or only generated text. */
const SKIPPED = new Set(['node_modules', 'build', 'dist', 'out', 'prebuilds', 'coverage']);

function pagesBelow(folder: string): string[] {
  return readdirSync(join(packageRoot, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) || entry.name.startsWith('.') ? [] : pagesBelow(path);
    return entry.name.endsWith('.md') ? [path] : [];
  });
}

interface Line {
  readonly text: string;
  readonly where: string;
}

/** The lines of a page outside of code blocks. */
function linesOf(page: string): Line[] {
  let inCode = false;
  return readFileSync(join(packageRoot, page), 'utf8')
    .split('\n')
    .map((text, i) => ({ text, where: `${page}:${i + 1}` }))
    .filter(({ text }) => {
      const isFence = /^\s*```/.test(text);
      if (isFence) inCode = !inCode;
      return !isFence && !inCode;
    });
}

function isExcepted(page: string, { text }: Line): boolean {
  return EXCEPTIONS.includes(`${page}: ${text}`);
}

const pages = pagesBelow('');

function complaints(about: (line: Line) => string[]): string[] {
  return pages.flatMap((page) => linesOf(page).flatMap((line) => (isExcepted(page, line) ? [] : about(line))));
}

describe('Markdown', () => {
  it('is found', () => {
    expect(pages).to.include.members(['README.md', join('docs', 'internals.md'), join('interop', 'c', 'README.md')]);
  });

  it(`wraps prose at ${COLUMNS} columns`, () => {
    // Rows of tables cannot be wrapped, nor can a line that is one word, such as a link.
    const isTooLong = (text: string): boolean =>
      text.length > COLUMNS && !text.startsWith('|') && /\S\s+\S/.test(text.replace(/^\s*(?:[-*]|\d+\.)\s+/, ''));
    expect(complaints(({ text, where }) => (isTooLong(text) ? [`${where} has ${text.length} columns`] : []))).to.eql([]);
  });

  it('does not speak of processes, callers and code as of persons', () => {
    const words = (text: string): string[] => text.replaceAll(/`[^`]*`/g, '').match(BANNED) ?? [];
    expect(complaints(({ text, where }) => words(text).map((word) => `${where} says "${word}"`))).to.eql([]);
  });
});
