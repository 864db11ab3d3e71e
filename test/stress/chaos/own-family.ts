// SPDX-License-Identifier: MIT
//
// The family under test: members of every kind on one queue of this package.
import { spawn } from 'node:child_process';
import { join } from 'node:path';

import {
  describe,
  JoinableQueue,
  Process,
  PythonProcess,
  Queue,
  SimpleQueue,
  TaskDoneError,
  TimeoutError,
  type QueueDescriptor,
  type QueueOptions,
} from 'node-multiprocessing';

import { foreignEnv, packageRoot } from '../../helpers/environment.js';
import { cPeer } from '../../helpers/peers.js';
import type { Python } from '../../helpers/pythons.js';
import { queueWords } from '../../helpers/queue-words.js';
import { childMember, programMember, type Family, type Kind, type Member, type Role } from './family.js';
import type { Place } from './ledger.js';
import type { AnyQueue } from './members.js';

export type QueueKind = 'Queue' | 'JoinableQueue' | 'SimpleQueue';

const module = join(packageRoot, 'out', 'test', 'stress', 'chaos', 'members.js');
const pythonPath = [join(packageRoot, 'test', 'peers')];

/** How long the end of a family may take before it counts as a hang, in milliseconds. */
const END_MS = 30_000;

/** How long join() may take to see that members were killed, in milliseconds. */
const RECOVERY_MS = 5000;

export class OwnFamily implements Family {
  readonly #queue: AnyQueue;
  readonly #python: Python | undefined;
  readonly #maxsize: number;
  readonly isUnrecorded: boolean;

  get #counts(): boolean {
    return this.#python === undefined && !this.isUnrecorded;
  }

  /**
   * @param python Which Python its members run; undefined in a family without them.
   * @param isUnrecorded Whether it has C programs.
   */
  constructor(kind: QueueKind, maxsize: number, python: Python | undefined, isUnrecorded: boolean) {
    const options: QueueOptions = python === undefined && !isUnrecorded ? {} : { serialization: 'pickle' };
    this.isUnrecorded = isUnrecorded;
    this.#python = python;
    this.#maxsize = maxsize;
    if (kind === 'SimpleQueue') this.#queue = new SimpleQueue(options);
    else this.#queue = new { Queue, JoinableQueue }[kind]({ ...options, maxsize });
  }

  start(role: Role, kind: Kind, place: Place): Promise<Member> {
    if (kind === 'c') return Promise.resolve(this.#startProgram(role, place));
    const child =
      kind === 'python'
        ? new PythonProcess({
            target: `chaos_member:${role}`,
            args: [this.#queue, { ...place, sizes: [...place.sizes] }],
            python: this.#python!.path,
            pythonPath,
          })
        : kind === 'worker'
          ? new Process({ module, target: 'inWorker', args: [this.#queue, role, place] })
          : new Process({ module, target: role, args: [this.#queue, place] });
    return Promise.resolve(childMember(child));
  }

  #startProgram(role: Role, { folder, slot, member, sizes }: Place): Member {
    const fds: number[] = [];
    const words = queueWords(describe(this.#queue) as QueueDescriptor, fds);
    const args = [role, folder, String(slot), String(member), sizes.join(), 'queue', words];
    const stdio = ['ignore', 'inherit', 'inherit', ...fds] as const;
    return programMember(spawn(cPeer('chaos_member').command, args, { stdio: [...stdio], env: foreignEnv() }));
  }

  async endConsumers(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await this.#queue.put(null);
  }

  async audit(terminated: number): Promise<string[]> {
    const queue = this.#queue;
    const found: string[] = [];
    if (!queue.empty()) found.push('the pipe is not empty');
    found.push(...(await this.#auditPlaces()));
    if (queue instanceof JoinableQueue) found.push(...(await auditUnfinished(queue, terminated)));
    return found;
  }

  /** The places that killed members had taken are there again, at the latest when a call waits for one. */
  async #auditPlaces(): Promise<string[]> {
    const queue = this.#queue;
    if (!(queue instanceof Queue) || this.#maxsize <= 0) return [];
    for (let places = 0; places < this.#maxsize; places++) {
      try {
        await queue.put(null, { timeout: END_MS });
      } catch (error) {
        return [`${this.#maxsize - places} places are missing: ${(error as { code: string }).code}`];
      }
    }
    for (let places = 0; places < this.#maxsize; places++) {
      await queue.get({ timeout: END_MS });
      if (queue instanceof JoinableQueue) await queue.taskDone();
    }
    return [];
  }

  get lost(): number | undefined {
    // With members that are no Node processes the queue does not count.
    return this.#counts ? this.#queue.stats().lost : undefined;
  }

  close(): Promise<void> {
    if (this.#queue instanceof Queue) this.#queue.cancelJoinThread();
    this.#queue.close();
    return Promise.resolve();
  }
}

/** Nothing is unfinished but an item for each terminated worker, at most. */
async function auditUnfinished(queue: JoinableQueue, terminated: number): Promise<string[]> {
  try {
    if (terminated > 0 && !(await joins(queue, RECOVERY_MS))) {
      for (let items = 0; items < terminated; items++) await queue.taskDone();
    }
  } catch (error) {
    // Fewer of them had an item.
    if (!(error instanceof TaskDoneError)) throw error;
  }
  return (await joins(queue, END_MS)) ? [] : ['join() of the empty queue times out'];
}

function joins(queue: JoinableQueue, timeout: number): Promise<boolean> {
  return queue.join({ timeout }).then(
    () => true,
    (error: unknown) => {
      if (error instanceof TimeoutError) return false;
      throw error;
    },
  );
}
