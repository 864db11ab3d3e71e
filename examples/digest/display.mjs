// SPDX-License-Identifier: MIT
//
// What the user sees: one line that is written over and over on a terminal, plain lines elsewhere, and the closing table.
const TERMINAL_MS = 100;
const PLAIN_MS = 1000;

export class Display {
  #terminal = process.stdout.isTTY === true;
  #shownAt = performance.now();
  #lineIsOpen = false;

  constructor() {
    // Nobody reads what is printed any more, as after "| head". The workers end when this process does.
    process.stdout.on('error', () => process.exit(2));
  }

  /** Shows the progress, if enough time has passed since the last time. @param {() => string} text */
  progress(text) {
    const now = performance.now();
    if (now - this.#shownAt < (this.#terminal ? TERMINAL_MS : PLAIN_MS)) return;
    this.#shownAt = now;
    if (this.#terminal) {
      // A line that is longer than the terminal is wide could not be written over.
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

/** Rows as columns: the first one to the left, numbers to the right. @param {string[][]} rows */
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
