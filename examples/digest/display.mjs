// SPDX-License-Identifier: MIT
//
// The output: on a terminal one line that is overwritten, elsewhere plain lines, and the closing table.
const TERMINAL_MS = 100;
const PLAIN_MS = 1000;

export class Display {
  #terminal = process.stdout.isTTY === true;
  #shownAt = performance.now();
  #lineIsOpen = false;

  constructor() {
    // The reader of the output has ended, as after "| head". The workers end with this process.
    process.stdout.on('error', () => process.exit(2));
  }

  /** Shows the progress, if enough time has passed since the last time. @param {() => string} text */
  progress(text) {
    const now = performance.now();
    if (now - this.#shownAt < (this.#terminal ? TERMINAL_MS : PLAIN_MS)) return;
    this.#shownAt = now;
    if (this.#terminal) {
      // A line that is longer than the terminal's width could not be overwritten.
      process.stdout.write(`\r${text().slice(0, (process.stdout.columns || 80) - 1)}\x1b[K`);
      this.#lineIsOpen = true;
    } else {
      process.stdout.write(`${text()}\n`);
    }
  }

  /** Removes the progress line, so that something else can be written. */
  clear() {
    if (this.#lineIsOpen) process.stdout.write('\r\x1b[K');
    this.#lineIsOpen = false;
  }

  /** A line about something that went wrong. @param {string} text */
  complain(text) {
    this.clear();
    process.stderr.write(`${text}\n`);
  }

  /** @param {string} text */
  print(text) {
    this.clear();
    process.stdout.write(`${text}\n`);
  }
}

/** Aligns rows in columns: the first column to the left, numbers to the right. @param {string[][]} rows */
export function table(rows) {
  const columns = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  return rows
    .map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(columns[i] ?? 0) : cell.padStart(columns[i] ?? 0))))
    .map((row) => row.join('  ').trimEnd())
    .join('\n');
}

/** @param {number} value */
export function grouped(value) {
  return value.toLocaleString('en-US');
}
