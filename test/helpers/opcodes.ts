// SPDX-License-Identifier: MIT
import * as opcodes from '#lib/serialization/pickle/opcodes.js';

type Name = Exclude<keyof typeof opcodes, 'PROTOCOL' | 'HIGHEST_PROTOCOL'>;

/** Every opcode by its name. */
export const OPCODES = Object.fromEntries(
  Object.entries(opcodes).filter(([name]) => !name.endsWith('PROTOCOL')),
) as Record<Name, number>;

/** Assembles a pickle: opcodes by name, bytes as numbers, and text after an apostrophe. It ends with STOP. */
export function assemble(...parts: readonly (Name | number | `'${string}` | Uint8Array)[]): Buffer {
  const bytes = parts.map((part) => {
    if (typeof part === 'number') return Buffer.of(part);
    if (part instanceof Uint8Array) return part;
    return part.startsWith("'") ? Buffer.from(part.slice(1), 'latin1') : Buffer.of(OPCODES[part as Name]);
  });
  return Buffer.concat([...bytes, Buffer.of(opcodes.STOP)]);
}

/** The opcodes that name a class or function in lines of text. */
export function global(module: string, name: string): Buffer {
  return Buffer.from(`c${module}\n${name}\n`, 'latin1');
}

/** A little-endian number of `length` bytes. */
export function little(value: number | bigint, size: number): Buffer {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, BigInt(value)));
  return bytes.subarray(0, size);
}
