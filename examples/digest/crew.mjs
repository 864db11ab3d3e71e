// SPDX-License-Identifier: MIT
//
// The workers of main.mjs, the queue from which all of them get their work, and the queue for their answers.
import { availableParallelism } from 'node:os';

import * as mp from 'node-multiprocessing';

/** A worker failed; the message says which one and how. */
export class WorkerError extends Error {}

/**
 * @typedef {object} Expected A piece of a file that is on its way.
 * @property {string} path
 * @property {Buffer} digest
 * @property {number} bytes
 * @property {boolean} last Whether the file ends with it.
 */

/** One worker, and what it has done. */
class Worker {
  /** How many files have ended with a piece that it got. */
  files = 0;
  bytes = 0;
  messages = 0;
  mismatches = 0;
  /** When its last digest came, on the clock of performance.now(). */
  lastAnswer = 0;

  /**
   * @param {string} name
   * @param {mp.BaseProcess} process
   */
  constructor(name, process) {
    this.name = name;
    this.process = process;
  }
}

export class Crew {
  // Pickle, because Python reads no other format of this package.
  /** @type {mp.JoinableQueue} */
  #tasks;
  /** @type {mp.Queue<[string, 'ready' | number, Buffer]>} */
  #results = new mp.Queue({ serialization: 'pickle' });
  /** @type {Map<number, Expected>} */
  #expected = new Map();
  #next = 0;
  #finished = false;
  /** @type {(() => void) | undefined} Called when every answer has come. */
  #idle;
  #onMismatch;
  /** @type {Promise<never>} Rejects when a worker fails. */
  #failed;
  /** @type {(error: unknown) => void} */
  #fail = () => {};

  /**
   * @param {number} slots How many pieces may be on their way.
   * @param {(path: string, name: string) => void} onMismatch
   */
  constructor(slots, onMismatch) {
    this.#tasks = new mp.JoinableQueue({ maxsize: slots, serialization: 'pickle' });
    // Items that are left on it when this process gives up are useless.
    this.#tasks.cancelJoinThread();
    this.#onMismatch = onMismatch;
    this.#failed = new Promise((_, reject) => (this.#fail = reject));
    // The next wait reports the failure. Until then it must not count as an unhandled rejection.
    this.#failed.catch(() => {});
    const here = import.meta.url;
    const nodes = Math.min(4, Math.max(2, availableParallelism() - 1));
    const queues = [this.#tasks, this.#results];
    // Daemonic: they end with this process, however it ends.
    this.workers = Array.from({ length: nodes }, (_, i) => {
      const name = `node-${i + 1}`;
      const module = new URL('./worker.mjs', here);
      return new Worker(name, new mp.Process({ module, target: 'work', args: [...queues, name], daemon: true }));
    });
    this.workers.push(
      new Worker(
        'python',
        new mp.PythonProcess({
          target: 'worker:work',
          args: [...queues, 'python'],
          pythonPath: new URL('.', here),
          daemon: true,
        }),
      ),
    );
  }

  /** Starts the workers, and resolves when all of them are ready. */
  async start() {
    for (const { name, process } of this.workers) {
      try {
        process.start();
      } catch (error) {
        throw new WorkerError(`The ${name} worker could not be started: ${/** @type {Error} */ (error).message}.`);
      }
    }
    for (const worker of this.workers) void this.#watch(worker);
    for (let ready = 0; ready < this.workers.length; ready++) await this.#orFailure(this.#results.get());
    void this.#collect().catch(this.#fail);
  }

  /**
   * Puts a piece of a file on the queue. When the promise resolves, the memory may be used again.
   *
   * @param {Buffer} piece
   * @param {Expected} expected
   */
  async put(piece, expected) {
    const number = this.#next++;
    this.#expected.set(number, expected);
    await this.#orFailure(this.#tasks.put([number, piece]));
  }

  /** Waits until every piece has been digested, and every digest compared. Then the workers end. */
  async finish() {
    await this.#orFailure(this.#tasks.join());
    const answered = new Promise((resolve) => {
      this.#idle = () => resolve(undefined);
      if (this.#expected.size === 0) this.#idle();
    });
    await this.#orFailure(answered);
    this.#finished = true;
    // A sentinel for each of them.
    for (let i = 0; i < this.workers.length; i++) await this.#tasks.put(null);
    for (const { process } of this.workers) await process.join();
    this.#results.close();
    this.#tasks.close();
  }

  /** Kills the workers, whatever they are doing. */
  async kill() {
    this.#finished = true;
    const running = this.workers.map(({ process }) => process).filter((process) => process.pid !== null);
    for (const process of running) process.kill();
    // These workers were killed on purpose, so the way they ended is no error.
    await Promise.allSettled(running.map((process) => process.join()));
    this.#results.close();
    this.#tasks.close();
  }

  async #collect() {
    for await (const [name, number, digest] of this.#results) {
      const worker = this.workers.find((each) => each.name === name);
      const expected = typeof number === 'number' ? this.#expected.get(number) : undefined;
      if (worker === undefined || expected === undefined) throw new WorkerError(`Unexpected answer from ${name}.`);
      this.#expected.delete(/** @type {number} */ (number));
      worker.messages++;
      worker.bytes += expected.bytes;
      if (expected.last) worker.files++;
      worker.lastAnswer = performance.now();
      if (!expected.digest.equals(digest)) {
        worker.mismatches++;
        this.#onMismatch(expected.path, name);
      }
      if (this.#expected.size === 0) this.#idle?.();
    }
  }

  /** @param {Worker} worker */
  async #watch({ name, process }) {
    let why = '';
    try {
      await process.join();
    } catch (error) {
      why = `: ${/** @type {Error} */ (error).message.split('\n', 1)[0]}`;
    }
    if (this.#finished) return;
    const code = process.exitcode ?? 0;
    const how = code < 0 ? `was ended by signal ${-code}` : `ended with exit code ${code}`;
    this.#fail(new WorkerError(`The ${name} worker ${how} before its work was done${why}.`));
  }

  /**
   * @template T
   * @param {Promise<T>} promise
   * @returns {Promise<T>}
   */
  #orFailure(promise) {
    promise.catch(() => {});
    return Promise.race([this.#failed, promise]);
  }
}
