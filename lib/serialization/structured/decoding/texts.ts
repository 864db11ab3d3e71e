// SPDX-License-Identifier: MIT
//
// Short strings are often the same in many messages. To find one by its bytes takes less time than to make it.

/** Longer strings are not kept. */
const MOST_BYTES = 16;

/** How many strings are kept. */
const PLACES = 1024;

const known = new Array<string>(PLACES).fill('');

/** A string of Latin-1. */
export function latin1(memory: Buffer, from: number, size: number): string {
  if (size > MOST_BYTES) return memory.toString('latin1', from, from + size);
  if (size === 0) return '';
  let hash = size;
  for (let i = 0; i < size; i++) hash = (Math.imul(hash, 31) + (memory[from + i] as number)) | 0;
  const place = (hash ^ (hash >>> 10)) & (PLACES - 1);
  const found = known[place] as string;
  if (found.length === size) {
    let i = 0;
    while (i < size && found.charCodeAt(i) === memory[from + i]) i++;
    if (i === size) return found;
  }
  return (known[place] = memory.toString('latin1', from, from + size));
}
