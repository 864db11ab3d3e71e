// SPDX-License-Identifier: MIT
//
// Finding and reading files. Paths are Buffers, since file names need not be valid UTF-8.
import { constants, promises as fs } from 'node:fs';

const SLASH = 0x2f;

/**
 * @typedef {object} Counts
 * @property {number} unreadable Files and folders that could not be read.
 * @property {number} links Symbolic links, which are not followed: they could lead out of the folder or in a circle.
 * @property {number} special Pipes, sockets and devices: a read could wait for ever or never end.
 */

/**
 * A file of which the first bytes have been read.
 *
 * @typedef {object} Begun
 * @property {Buffer} path
 * @property {unknown} [error] Why it could not be read; then nothing else is there.
 * @property {Buffer} [memory] A buffer of the pool, which begins with the bytes.
 * @property {number} [size] How many bytes there are.
 * @property {import('node:fs/promises').FileHandle} [file] Where the rest is, if the buffer is full.
 */

/** A path without control characters, for a terminal. @param {Buffer} path */
export function shown(path) {
  return path.toString().replaceAll(/\p{Cc}/gu, '?');
}

/**
 * Every regular file below a folder.
 *
 * @param {Buffer} top
 * @param {Counts} counts
 * @param {(path: Buffer, error: unknown) => void} onUnreadable
 * @returns {AsyncGenerator<Buffer>}
 */
export async function* walk(top, counts, onUnreadable) {
  const folders = [top];
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop()) {
    let entries;
    try {
      entries = await fs.readdir(folder, { withFileTypes: true, encoding: 'buffer' });
    } catch (error) {
      onUnreadable(folder, error);
      continue;
    }
    const prefix = folder.at(-1) === SLASH ? folder : Buffer.concat([folder, Buffer.of(SLASH)]);
    for (const entry of entries) {
      const path = Buffer.concat([prefix, entry.name]);
      if (entry.isFile()) yield path;
      else if (entry.isDirectory()) folders.push(path);
      else if (entry.isSymbolicLink()) counts.links++;
      else counts.special++;
    }
  }
}

/**
 * Reads the beginning of several files at once and yields them in the order of their paths.
 *
 * @param {AsyncIterable<Buffer>} paths
 * @param {import('./pool.mjs').Pool} pool
 * @param {number} depth How many files, which must be fewer than the pool has buffers.
 * @returns {AsyncGenerator<Begun>}
 */
export async function* readAhead(paths, pool, depth) {
  /** @type {Promise<Begun>[]} */
  const begun = [];
  try {
    for await (const path of paths) {
      const file = begin(path, pool);
      // A failure is thrown later, when it is this file's turn.
      file.catch(() => {});
      begun.push(file);
      if (begun.length === depth) yield /** @type {Promise<Begun>} */ (begun.shift());
    }
    while (begun.length > 0) yield /** @type {Promise<Begun>} */ (begun.shift());
  } finally {
    // A caller that stopped early never receives these.
    for (const result of await Promise.allSettled(begun)) {
      if (result.status === 'fulfilled') await result.value.file?.close();
    }
  }
}

/**
 * @param {Buffer} path
 * @param {import('./pool.mjs').Pool} pool
 * @returns {Promise<Begun>}
 */
async function begin(path, pool) {
  const memory = await pool.take();
  let file;
  try {
    file = await openFile(path);
    const size = await fill(file, memory);
    if (size === memory.length) return { path, memory, size, file };
    await file.close();
    return { path, memory, size };
  } catch (error) {
    await file?.close().catch(() => {});
    pool.give(memory);
    return { path, error };
  }
}

/**
 * Opens a regular file. Something else may have taken its place since it was found: a link is not followed, and opening
 * a named pipe does not wait for its writer.
 *
 * @param {Buffer} path
 */
async function openFile(path) {
  const file = await fs.open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  if ((await file.stat()).isFile()) return file;
  await file.close();
  throw new Error('not a regular file');
}

/**
 * Reads until the buffer is full or the file has ended. Returns the number of bytes read.
 *
 * @param {import('node:fs/promises').FileHandle} file
 * @param {Buffer} buffer
 */
export async function fill(file, buffer) {
  let done = 0;
  while (done < buffer.length) {
    const { bytesRead } = await file.read(buffer, done, buffer.length - done, null);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}
