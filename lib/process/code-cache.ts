// SPDX-License-Identifier: MIT
//
// V8's code cache of the file that every child loads: compiling what a start needs of it takes as long as running it. Node's own
// cache, which Node 20 does not have, keeps only what a file calls while it is loaded. This one keeps all that a start has called.
import { closeSync, fstatSync, openSync, readSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { Script } from 'node:vm';

/** What Node puts around a module. */
const HEAD = '(function (exports, require, module, __filename, __dirname) {';
const TAIL = '\n})';

type Wrapped = (exports: unknown, require: NodeJS.Require, module: Module, file: string, folder: string) => void;

/** The rest of a file, from its position on, in a Buffer with room for what stands around it. */
function readRest(fd: number, length: number, before = 0, after = 0): Buffer {
  const bytes = Buffer.allocUnsafeSlow(before + length + after);
  const end = before + length;
  for (let at = before, read = 1; at < end && read > 0; at += read) read = readSync(fd, bytes, at, end - at, null);
  return bytes;
}

/** Whether the next bytes of a file are these. Compared piece by piece: fresh memory would cost more than reading does. */
function continuesWith(fd: number, expected: Buffer): boolean {
  const piece = Buffer.allocUnsafeSlow(16 * 1024);
  for (let at = 0; at < expected.length;) {
    const read = readSync(fd, piece, 0, Math.min(piece.length, expected.length - at), null);
    if (read === 0 || piece.compare(expected, at, at + read, 0, read) !== 0) return false;
    at += read;
  }
  return true;
}

function withFile<T>(file: string, use: (fd: number, size: number) => T): T {
  const fd = openSync(file, 'r');
  try {
    return use(fd, fstatSync(fd).size);
  } finally {
    closeSync(fd);
  }
}

/** A number that texts hardly share. */
function hash(text: string): string {
  let number = 0;
  for (let i = 0; i < text.length; i++) number = (Math.imul(number, 31) + text.charCodeAt(i)) | 0;
  return (number >>> 0).toString(36);
}

/**
 * What the cache has for a source. A file of the cache has the source, which ends with its path, and then V8's data, twice: V8
 * compares only the length of the source, its data say where functions are from, and what is damaged in them ends the process.
 */
function readCached(file: string, source: Buffer): Buffer | undefined {
  try {
    return withFile(file, (fd, size) => {
      if (!continuesWith(fd, source)) return undefined;
      const data = readRest(fd, (size - source.length) / 2);
      return continuesWith(fd, data) ? data : undefined;
    });
  } catch {
    // There is none, or it may not be read, or it was cut.
    return undefined;
  }
}

function writeCached(file: string, source: Buffer, data: Buffer): void {
  const written = `${file}.${process.pid}`;
  try {
    try {
      writeFileSync(written, Buffer.concat([source, data, data]), { flag: 'wx', mode: 0o600 });
      renameSync(written, file);
    } catch {
      rmSync(written, { force: true });
    }
  } catch {
    // No room, or nothing may be written, by Node's permission model perhaps: the next child compiles, too.
  }
}

/** A file with what Node puts around a module. Undefined if only Node's own loader can read it, from an archive perhaps. */
function readWrapped(file: string): Buffer | undefined {
  const tail = `${TAIL}\n//${Buffer.from(file).toString('hex')}`;
  try {
    return withFile(file, (fd, size) => {
      const text = readRest(fd, size, HEAD.length, Buffer.byteLength(tail));
      text.write(HEAD, 0, 'latin1');
      text.write(tail, HEAD.length + size);
      return text;
    });
  } catch {
    return undefined;
  }
}

/**
 * Loads a CommonJS file as `require()` does, which returns its exports from then on. Its code cannot call `import()`.
 *
 * @param folder The folder of the cache, which no other user can write to.
 * @returns A function that keeps what has been compiled by then; undefined if the cache has it.
 */
export function requireFromCache(file: string, folder: string): (() => void) | undefined {
  const source = readWrapped(file);
  if (source === undefined) return undefined;
  // Several releases of Node and several copies of this package may take turns.
  const cache = join(folder, `child-${process.version}-${process.arch}-${hash(file)}`);
  const cachedData = readCached(cache, source);
  const script = new Script(source.toString(), { filename: file, columnOffset: -HEAD.length, cachedData });
  const module = new Module(file);
  module.filename = file;
  const require = createRequire(file);
  require.cache[file] = module;
  (script.runInThisContext() as Wrapped)(module.exports, require, module, file, dirname(file));
  module.loaded = true;
  if (cachedData !== undefined && script.cachedDataRejected !== true) return undefined;
  return () => {
    writeCached(cache, source, script.createCachedData());
  };
}
