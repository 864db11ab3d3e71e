// SPDX-License-Identifier: MIT
//
// npm run demo -- [folder]
//
// Reads every file below a folder, sends its bytes to a Node process and to a Python process, and compares the SHA-256
// digests that come back with its own. Both workers are busy at once, and so is this process: what is on its way is
// bounded by a few buffers here and by what the kernel holds, so files of any size need no more memory.
//
// Exit code: 0, 1 if a digest differs, 2 if the work could not be done.
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import { Display, grouped, table } from './display.mjs';
import { fill, readAhead, shown, walk } from './files.mjs';
import { Hasher, WorkerError } from './hasher.mjs';
import { Pool } from './pool.mjs';
import { DROP, LAST, MESSAGE_BYTES, MORE } from './protocol.mjs';

/** How many messages may be in this process at once, and how many files of those are only waiting for their turn. */
const BUFFERS = 8;
const FILES_AHEAD = 4;

const display = new Display();
const pool = new Pool(BUFFERS, MESSAGE_BYTES);
const counts = { files: 0, bytes: 0, unreadable: 0, links: 0, special: 0 };
const started = performance.now();

/**
 * Sends one message to all workers. Its buffer goes back to the pool when it has left for each of them.
 *
 * @param {Hasher[]} hashers
 * @param {Buffer} memory
 * @param {number} kind
 * @param {number} size How many bytes of data follow the kind.
 */
function broadcast(hashers, memory, kind, size) {
  memory[0] = kind;
  const message = memory.subarray(0, 1 + size);
  counts.bytes += size;
  Promise.all(hashers.map((hasher) => hasher.send(message))).then(
    () => pool.give(memory),
    (error) => pool.fail(error),
  );
}

/**
 * Sends one file. Our own digest is taken from the very bytes that are sent, so a file that changes meanwhile is no
 * mismatch.
 *
 * @param {Hasher[]} hashers
 * @param {import('./files.mjs').Begun} begun
 */
async function sendFile(hashers, { path, error, memory, size = 0, file }) {
  if (memory === undefined) return reportUnreadable(path, error);
  const hash = createHash('sha256');
  let bytes = 0;
  for (;;) {
    hash.update(memory.subarray(1, 1 + size));
    bytes += size;
    if (file === undefined || size < memory.length - 1) break;
    broadcast(hashers, memory, MORE, size);
    display.progress(progressText);
    memory = await pool.take();
    try {
      size = await fill(file, memory.subarray(1));
    } catch (failure) {
      counts.bytes -= bytes;
      broadcast(hashers, memory, DROP, 0);
      await file.close();
      return reportUnreadable(path, failure);
    }
  }
  const digest = hash.digest();
  for (const hasher of hashers) hasher.expect({ path: shown(path), digest, bytes });
  broadcast(hashers, memory, LAST, size);
  counts.files++;
  await file?.close();
}

/**
 * @param {Buffer} path
 * @param {unknown} error
 */
function reportUnreadable(path, error) {
  counts.unreadable++;
  const { code, message } = /** @type {NodeJS.ErrnoException} */ (error);
  display.complain(`Cannot read ${shown(path)}: ${code ?? message}`);
}

/** @param {number} bytes @param {number} [until] */
function megabytesPerSecond(bytes, until = performance.now()) {
  return (bytes / 1e3 / Math.max(until - started, 1)).toFixed(1);
}

function progressText() {
  return `${grouped(counts.files)} files, ${grouped(counts.bytes)} bytes, ${megabytesPerSecond(counts.bytes)} MB/s`;
}

/** @param {Hasher[]} hashers */
function closingTable(hashers) {
  const rows = hashers.map((hasher) => [
    hasher.name,
    grouped(hasher.files),
    grouped(hasher.bytes),
    megabytesPerSecond(hasher.bytes, hasher.lastAnswer),
    grouped(hasher.messages),
    grouped(hasher.mismatches),
  ]);
  return table([['worker', 'files', 'bytes', 'MB/s', 'messages', 'mismatches'], ...rows]);
}

/**
 * @param {Hasher[]} hashers
 * @param {Buffer} folder
 */
async function work(hashers, folder) {
  for await (const begun of readAhead(walk(folder, counts, reportUnreadable), pool, FILES_AHEAD)) {
    await sendFile(hashers, begun);
    display.progress(progressText);
  }
  await pool.takeAll();
  await Promise.all(hashers.map((hasher) => hasher.finish()));
}

/** @param {string} name */
function workerFile(name) {
  return fileURLToPath(new URL(name, import.meta.url));
}

/** @param {string} folder */
async function main(folder) {
  try {
    readdirSync(folder);
  } catch (error) {
    display.complain(`Cannot read the folder ${folder}: ${/** @type {NodeJS.ErrnoException} */ (error).code}`);
    return 2;
  }
  const onMismatch = (/** @type {string} */ path, /** @type {string} */ name) =>
    display.complain(`MISMATCH: the ${name} worker has another digest of ${path}`);
  const hashers = [
    new Hasher('node', process.execPath, [workerFile('worker.mjs')], onMismatch),
    // PYTHON names the interpreter, if it is not the python3 of the PATH.
    new Hasher('python', process.env['PYTHON'] || 'python3', [workerFile('worker.py')], onMismatch),
  ];
  const killAll = () => Promise.all(hashers.map((hasher) => hasher.kill()));
  let stopping = false;
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.once(signal, () => {
      stopping = true;
      display.clear();
      // When the children are gone, the signal does what it does to a process that does not listen for it.
      void killAll().then(() => process.kill(process.pid, signal));
    });
  }
  try {
    await work(hashers, Buffer.from(folder));
  } catch (error) {
    if (stopping) return 2;
    await killAll();
    const { message, stack } = /** @type {Error} */ (error);
    display.complain(error instanceof WorkerError ? message : `${stack}`);
    return 2;
  }
  display.print(closingTable(hashers));
  const seconds = ((performance.now() - started) / 1000).toFixed(2);
  display.print(
    `\n${grouped(counts.files)} files, ${grouped(counts.bytes)} bytes in ${seconds} s; ` +
      `${counts.unreadable} unreadable, ${counts.links} symbolic links and ${counts.special} special files left out.`,
  );
  return hashers.some(({ mismatches }) => mismatches > 0) ? 1 : 0;
}

process.exitCode = await main(process.argv[2] ?? fileURLToPath(new URL('../../node_modules', import.meta.url)));
