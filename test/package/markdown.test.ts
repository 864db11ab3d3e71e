// SPDX-License-Identifier: MIT
//
// Every Markdown page: prose wraps at 120 columns, and does not speak of processes, callers and code as persons.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { packageRoot } from '../helpers/index.js';

const COLUMNS = 120;

const BANNED = /\b(?:whoever|somebody|nobody|anybody|he|him|his)\b/gi;

/** Lines that may be longer or contain a banned word, each as `page: text of the line`, with the reason above it. */
const EXCEPTIONS: readonly string[] = [];

/** Folders that hold no text of this package's own, or only generated text. */
const SKIPPED = new Set(['node_modules', 'build', 'dist', 'out', 'coverage']);

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

/** What is wrong with the lines of all pages, by what `check` finds wrong with one. */
function complaints(check: (text: string) => readonly string[]): string[] {
  return pages.flatMap((page) =>
    linesOf(page)
      .filter((line) => !isExcepted(page, line))
      .flatMap(({ text, where }) => check(text).map((complaint) => `${where}: ${complaint}`)),
  );
}

/** Rows of tables cannot be wrapped, nor can a line that is one word, such as a link. */
function canWrap(text: string): boolean {
  return !text.startsWith('|') && /\S\s+\S/.test(text.replace(/^\s*(?:[-*]|\d+\.)\s+/, ''));
}

describe('Markdown', () => {
  it('is found', () => {
    expect(pages).to.include.members(['README.md', join('docs', 'internals.md'), join('interop', 'c', 'README.md')]);
  });

  it(`wraps prose at ${COLUMNS} columns`, () => {
    const check = (text: string): string[] =>
      text.length > COLUMNS && canWrap(text) ? [`${text.length} columns, more than ${COLUMNS}`] : [];
    expect(complaints(check)).to.deep.equal([]);
  });

  it('does not speak of processes, callers and code as persons', () => {
    const check = (text: string): string[] =>
      [...text.replaceAll(/`[^`]*`/g, '').matchAll(BANNED)].map(([word]) => `the word "${word}"`);
    expect(complaints(check)).to.deep.equal([]);
  });
});
