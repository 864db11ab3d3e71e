// SPDX-License-Identifier: MIT
//
// npm run demo -- [folder]
//
// Reads every file below a folder and puts its bytes, in pieces of up to 1 MiB, on a JoinableQueue. Each free worker,
// in Node or in Python, gets the next piece and puts its SHA-256 digest on a Queue; this program compares it with its
// own. The slots of the queue bound the number of pieces on their way, so files of any size need no more memory.
//
// Exit code: 0, 1 if a digest differs, 2 if the work could not be done.
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import * as mp from 'node-multiprocessing';

import { Crew, WorkerError } from './crew.mjs';
import { Display, grouped, table } from './display.mjs';
import { fill, readAhead, shown, walk } from './files.mjs';
import { Pool } from './pool.mjs';

const PIECE_BYTES = 1024 * 1024;
/** How many pieces may be on the queue. */
const SLOTS = 16;
/** How many buffers there are for reading, and how many of them hold files that wait for their turn. */
const BUFFERS = 6;
const FILES_AHEAD = 4;

const display = new Display();
const pool = new Pool(BUFFERS, PIECE_BYTES);
const counts = { files: 0, bytes: 0, unreadable: 0, links: 0, special: 0 };
let started = performance.now();

/**
 * Puts one file on the queue. The expected digest is taken from the very bytes that are put, so a file that changes
 * meanwhile causes no mismatch.
 *
 * @param {Crew} crew
 * @param {import('./files.mjs').Begun} begun
 */
async function putFile(crew, { path, error, memory, size = 0, file }) {
  if (memory === undefined) return reportUnreadable(path, error);
  const name = shown(path);
  try {
    for (;;) {
      const piece = memory.subarray(0, size);
      const last = size < memory.length;
      const digest = createHash('sha256').update(piece).digest();
      await crew.put(piece, { path: name, digest, bytes: size, last });
      counts.bytes += size;
      display.progress(progressText);
      if (file === undefined || last) break;
      size = await fill(file, memory);
    }
    counts.files++;
  } catch (failure) {
    if (failure instanceof WorkerError || !(/** @type {NodeJS.ErrnoException} */ (failure).syscall)) throw failure;
    // The pieces that were put before are digested all the same.
    reportUnreadable(path, failure);
  } finally {
    pool.give(memory);
    await file?.close();
  }
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

/** @param {Crew} crew */
function closingTable(crew) {
  const rows = crew.workers.map((worker) => [
    worker.name,
    grouped(worker.files),
    grouped(worker.bytes),
    megabytesPerSecond(worker.bytes, worker.lastAnswer),
    grouped(worker.messages),
    grouped(worker.mismatches),
  ]);
  return table([['worker', 'files', 'bytes', 'MB/s', 'messages', 'mismatches'], ...rows]);
}

/** @param {string} folder */
async function main(folder) {
  try {
    readdirSync(folder);
  } catch (error) {
    display.complain(`Cannot read the folder ${folder}: ${/** @type {NodeJS.ErrnoException} */ (error).code}`);
    return 2;
  }
  const crew = new Crew(SLOTS, (path, name) =>
    display.complain(`MISMATCH: the ${name} worker has another digest of ${path}`),
  );
  let stopping = false;
  for (const signal of /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP'])) {
    process.once(signal, () => {
      stopping = true;
      display.clear();
      // When the children have ended, the signal ends this process as it would without a listener.
      void crew.kill().then(() => process.kill(process.pid, signal));
    });
  }
  try {
    await crew.start();
    started = performance.now();
    for await (const begun of readAhead(walk(Buffer.from(folder), counts, reportUnreadable), pool, FILES_AHEAD)) {
      await putFile(crew, begun);
      display.progress(progressText);
    }
    await crew.finish();
  } catch (error) {
    if (stopping) return 2;
    await crew.kill();
    const { message, stack } = /** @type {Error} */ (error);
    display.complain(error instanceof WorkerError ? message : `${stack}`);
    return 2;
  }
  display.print(closingTable(crew));
  const seconds = ((performance.now() - started) / 1000).toFixed(2);
  display.print(
    `\n${grouped(counts.files)} files, ${grouped(counts.bytes)} bytes in ${seconds} s; ` +
      `${counts.unreadable} unreadable, ${counts.links} symbolic links and ${counts.special} special files left out.`,
  );
  return crew.workers.some(({ mismatches }) => mismatches > 0) ? 1 : 0;
}

if (mp.isMainProcess) {
  process.exitCode = await main(process.argv[2] ?? fileURLToPath(new URL('../../node_modules', import.meta.url)));
}
