// SPDX-License-Identifier: MIT
//
// The values that are put on queues and pickled; values.py has the same.

export function record(i: number): object {
  return { id: i, name: `name ${i}`, tags: ['red', 'green'], x: i + 0.5, ok: true };
}

export function valueOf(name: string | undefined): unknown {
  switch (name) {
    case 'bytes-64':
      return Buffer.alloc(64, 7);
    case 'bytes-1m':
      return Buffer.alloc(1024 * 1024, 7);
    case 'record':
      return record(1);
    case 'rows':
      return Array.from({ length: 10_000 }, (_, i) => record(i));
    default:
      throw new TypeError(`no such value: ${name}`);
  }
}
