// SPDX-License-Identifier: MIT
//
// One worker process as main.mjs sees it: a child, the Connection to it, and the digests that it still owes.
import { spawn } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';

import * as mp from 'node-multiprocessing';

import { DIGEST_BYTES } from './protocol.mjs';

/** How long a worker that broke off the conversation may take to end, so that the reason can be told, in milliseconds. */
const EXIT_WAIT_MS = 1000;

/** A worker failed; the message says which one and how. */
export class WorkerError extends Error {}

/**
 * @typedef {object} Expected
 * @property {string} path
 * @property {Buffer} digest
 * @property {number} bytes
 */

export class Hasher {
  files = 0;
  bytes = 0;
  messages = 0;
  mismatches = 0;
  /** When the last digest came, on the clock of performance.now(). */
  lastAnswer = 0;
  /** @type {Expected[]} */
  #expected = [];
  /** @type {mp.Connection} */
  #connection;
  /** @type {import('node:child_process').ChildProcess} */
  #child;
  /** @type {Promise<string>} How the child ended, in words. */
  #ended;
  #collected;
  /** @type {(() => void) | undefined} */
  #idle;

  /**
   * @param {string} name
   * @param {string} command
   * @param {string[]} args
   * @param {(path: string, name: string) => void} onMismatch
   */
  constructor(name, command, args, onMismatch) {
    this.name = name;
    const [ours, theirs] = mp.Pipe();
    this.#connection = ours;
    this.#child = spawn(command, args, {
      stdio: ['ignore', 'inherit', 'inherit', theirs.fileno()],
      // Ctrl-C reaches only this process, which then ends its children; if it cannot, the end of data does.
      detached: true,
    });
    // The child has its own copy. As long as this one is open, we would not see the end of data when the child ends.
    theirs.close();
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => resolve(`could not be started (${error.message})`));
      this.#child.once('exit', (code, signal) =>
        resolve(signal === null ? `ended with exit code ${code}` : `was ended by ${signal}`),
      );
    });
    this.#collected = this.#collect(onMismatch);
    // Whoever waits for it next is told; until then it is no unhandled rejection.
    this.#collected.catch(() => {});
  }

  /**
   * Sends one message. `message` must stay as it is until the promise resolves, which is when the kernel has all of it.
   *
   * @param {Buffer} message
   */
  async send(message) {
    this.messages++;
    try {
      await this.#connection.sendBytes(message);
    } catch (error) {
      throw await this.#explain(error);
    }
  }

  /**
   * Announces that the message sent next completes a file.
   *
   * @param {Expected} expected
   */
  expect(expected) {
    this.#expected.push(expected);
  }

  /** Waits for the digests that the worker owes, then ends it. */
  async finish() {
    const answered = new Promise((resolve) => {
      this.#idle = () => resolve(undefined);
      if (this.#expected.length === 0) this.#idle();
    });
    await Promise.race([answered, this.#collected]);
    // The last copy of our end: the worker sees the end of data, and that ends it.
    this.#connection.close();
    await this.#collected;
    const how = await this.#ended;
    if (this.#child.exitCode !== 0) throw new WorkerError(`The ${this.name} worker ${how} after its work was done.`);
  }

  /** Ends the worker whatever it is doing. */
  async kill() {
    this.#child.kill('SIGKILL');
    await this.#ended;
    this.#connection.close({ discard: true });
  }

  /** @param {(path: string, name: string) => void} onMismatch */
  async #collect(onMismatch) {
    for (;;) {
      let digest;
      try {
        digest = await this.#connection.recvBytes(DIGEST_BYTES);
      } catch (error) {
        if (error instanceof mp.ClosedError) return;
        throw await this.#explain(error);
      }
      const expected = this.#expected.shift();
      if (expected === undefined) throw new WorkerError(`The ${this.name} worker answered without being asked.`);
      this.files++;
      this.bytes += expected.bytes;
      this.lastAnswer = performance.now();
      if (!digest.equals(expected.digest)) {
        this.mismatches++;
        onMismatch(expected.path, this.name);
      }
      if (this.#expected.length === 0) this.#idle?.();
    }
  }

  /**
   * A broken connection is only a symptom: how the worker ended says more.
   *
   * @param {unknown} error
   */
  async #explain(error) {
    const how = await Promise.race([this.#ended, sleep(EXIT_WAIT_MS, undefined, { ref: false })]);
    if (how?.startsWith('could')) return new WorkerError(`The ${this.name} worker ${how}.`, { cause: error });
    const what = how ?? `broke off (${error instanceof Error ? error.message : error})`;
    return new WorkerError(`The ${this.name} worker ${what} before its work was done.`, { cause: error });
  }
}
