// SPDX-License-Identifier: MIT
//
// How results are printed: tables, counts, and JSON on request.

/** Text as it can be shown in one line: what processes call themselves may contain lines and commands for the terminal. */
function inOneLine(text: string): string {
  return text.replace(/\s+/g, ' ').replace(/\p{Cc}/gu, '?');
}

/** Formats rows as a table with aligned columns. The first row holds the titles. */
export function table(cells: readonly (readonly string[])[]): string {
  const rows = cells.map((row) => row.map(inOneLine));
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  ');
  return rows.map((row) => `${line(row).trimEnd()}\n`).join('');
}

/** A number and its noun: `1 family`, `2 families`. */
export function count(n: number, one: string, many: string): string {
  return `${n} ${n === 1 ? one : many}`;
}

/** Prints a result as JSON, or as the text that `show` makes of it. */
export function print<T>(result: T, json: boolean, show: (result: T) => string): void {
  process.stdout.write(json ? `${JSON.stringify(result, null, 2)}\n` : show(result));
}
