// SPDX-License-Identifier: MIT
//
// How shared memory that was passed on is rebuilt, over the same memory.
import { argumentError } from '../core/errors.js';
import { checkInteger } from '../core/validate.js';
import { rebuildObject, registerRebuild, type Rebuilt, type RebuildPart } from '../reduction/registry.js';
import type { Importer } from '../reduction/exporters.js';
import { rebuildCondition } from '../synchronize/rebuild.js';
import { OwnableLock } from '../synchronize/locks.js';
import { Barrier, type BarrierOptions } from './barrier.js';
import { Piece } from './heap.js';
import { ShareableList } from './shareable-list.js';
import { SharedMemory } from './shared-memory.js';
import { typeOf, type Typecode } from './typecodes.js';
import { RawArray, RawValue, SharedArray, Value } from './values.js';

/** A value over memory that exists, or (with a length) an array. `lock` is undefined for a raw one. */
export function valueOver(
  typecode: unknown,
  piece: Piece,
  length: unknown,
  lock: OwnableLock | undefined,
): RawValue | RawArray {
  try {
    const { bytes } = typeOf(typecode);
    const code = typecode as Typecode;
    checkInteger(length ?? 1, 'length', 0, Number.MAX_SAFE_INTEGER);
    if (piece.size !== bytes * Number(length ?? 1)) throw argumentError('range', 'its memory has another size');
    const isArray = length !== undefined && length !== null;
    if (isArray)
      return lock === undefined ? new RawArray(code, piece, 'RawArray') : new SharedArray(code, piece, { lock });
    return lock === undefined ? new RawValue(code, piece, 'RawValue') : new Value(code, piece, { lock });
  } catch (error) {
    piece.close();
    throw error;
  }
}

function rebuildLock(reduced: unknown, name: string, rebuildPart: RebuildPart): OwnableLock | undefined {
  if (reduced === undefined) return undefined;
  const lock = rebuildPart(reduced, name);
  if (lock instanceof OwnableLock) return lock;
  throw argumentError('type', `${name} must be of a Lock or an RLock`);
}

function rebuildValue(
  { typecode, memory, length, lock }: Record<string, unknown>,
  name: string,
  importer: Importer,
  rebuildPart: RebuildPart,
): Rebuilt {
  const piece = Piece.import(memory, `${name}.memory`, importer);
  try {
    const own = rebuildLock(lock, `${name}.lock`, rebuildPart);
    return valueOver(typecode, piece, length, own);
  } catch (error) {
    piece.close();
    throw error;
  }
}

/** A barrier over memory that exists. Takes over both parts. */
export function barrierOver(
  parties: unknown,
  timeout: unknown,
  parts: ConstructorParameters<typeof Barrier>[2],
): Barrier {
  try {
    if (parts?.piece.size !== 8) throw argumentError('range', 'the memory of a Barrier has 8 bytes');
    return new Barrier(parties as number, { timeout } as BarrierOptions, parts);
  } catch (error) {
    parts?.piece.close();
    parts?.condition.close();
    throw error;
  }
}

registerRebuild(['RawValue', 'RawArray', 'Value', 'Array'], rebuildValue);
registerRebuild(['SharedMemory'], ({ name }) => new SharedMemory({ name: name as string }));
registerRebuild(['ShareableList'], ({ name }) => new ShareableList(undefined, { name: name as string }));
registerRebuild(['Barrier'], ({ parties, timeout, condition, memory }, name, importer) => {
  const piece = Piece.import(memory, `${name}.memory`, importer);
  try {
    const fields = condition as Record<string, unknown>;
    const rebuildPart: RebuildPart = (part, partName) => rebuildObject(part, partName, importer);
    const rebuilt = rebuildCondition(fields, `${name}.condition`, rebuildPart);
    return barrierOver(parties, timeout, { condition: rebuilt, piece });
  } catch (error) {
    piece.close();
    throw error;
  }
});
