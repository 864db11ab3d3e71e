// SPDX-License-Identifier: MIT
//
// One worker of a pool, as the pool sees it: its process, its connections, its output, and the task that it runs.
import { causeOf, type ReportedFailure } from '../core/error-report.js';
import { ChildProcessError } from '../core/errors.js';
import { isExiting } from '../event-loop/sync-wait.js';
import { native } from '../native/addon.js';
import { collectHolds, type Hold } from '../reduction/shared-views.js';
import type { BaseProcess } from '../process/base-process.js';
import { fromWorker, toWorker, type TaskMessage, type WorkerMessage } from './protocol.js';
import type { Task } from './task.js';
import type { WorkerLink } from './worker-link.js';
import { WorkerOutput, type StreamName } from './worker-output.js';

/** A process that was started as a worker, and the connections to it. */
export interface Launched {
  readonly process: BaseProcess;
  readonly link: WorkerLink;
}

/** Starts workers of one language. */
export interface Launcher {
  /**
   * @param index The lowest number from 0 on that no living worker of the pool has.
   * @param onEnd Called when the process has ended.
   */
  launch(index: number, onEnd: () => void): Launched;
}

/**
 * What a worker does: it starts, waits, runs a task, is to give up a task that has no reader any more, or ends.
 */
export type WorkerState = 'starting' | 'idle' | 'busy' | 'cancelling' | 'ending';

/** What a worker tells its pool. */
export interface WorkerOwner {
  becameReady(worker: PoolWorker): void;
  /** A task has ended in the worker, which is idle now. */
  finished(worker: PoolWorker, task: Task | undefined, message: WorkerMessage): void;
  /** A message about the task, other than that of its end. */
  about(worker: PoolWorker, task: Task, message: WorkerMessage): void;
  line(worker: PoolWorker, stream: StreamName, line: string): boolean;
  /** The process has ended. The error says why a worker has not become ready. */
  ended(worker: PoolWorker, exitcode: number, error: Error | undefined): void;
}

export class PoolWorker {
  readonly index: number;
  readonly link: WorkerLink;
  state: WorkerState = 'starting';
  /** The task that it runs, unless the task has given up the worker. */
  task: Task | undefined;
  /** How many tasks it has begun. */
  tasks = 0;
  /** Whether it has become ready. */
  wasReady = false;
  /** Whether the pool has killed it. */
  killed = false;
  /** Whether the pool has asked it to end. */
  isDismissed = false;
  idleSince = performance.now();
  readonly #process: BaseProcess;
  readonly #owner: WorkerOwner;
  readonly #output: WorkerOutput;
  readonly #killTimeout: number;
  #killTimer: NodeJS.Timeout | undefined;
  #failure: ReportedFailure | undefined;
  /** What the message of the task holds until the worker has read it. */
  #holds: Hold[] = [];
  readonly pid: number;

  constructor(launcher: Launcher, index: number, killTimeout: number, owner: WorkerOwner) {
    this.index = index;
    this.#owner = owner;
    this.#killTimeout = killTimeout;
    const { process, link } = launcher.launch(index, () => {
      this.#ended();
    });
    this.#process = process;
    this.link = link;
    this.pid = process.pid as number;
    this.#output = new WorkerOutput(process.stdout, process.stderr, (stream, line) => owner.line(this, stream, line));
    link.listen({
      message: (message) => this.#message(message),
      end: () => this.#killLater(),
    });
  }

  get name(): string {
    return this.#process.name;
  }

  /** The end of its standard error. */
  get stderrTail(): string {
    return this.#output.tail;
  }

  /** Sends it a task. Rejects if that is not possible. */
  async run(task: Task, message: TaskMessage): Promise<void> {
    this.state = 'busy';
    this.task = task;
    this.tasks++;
    this.#holds = [];
    await collectHolds(this.#holds, () => this.link.sendTask(message));
  }

  /** The last task could not be sent. */
  notSent(): void {
    this.#endHolds();
    this.task = undefined;
    this.#becomeIdle();
  }

  /** Makes it give up its task; kills it if it does not in time. The task is no longer told of it. */
  cancel(): void {
    const { task } = this;
    if (task === undefined) return;
    this.link.control(toWorker.cancel, task.ticket);
    this.state = 'cancelling';
    this.task = undefined;
    this.#killLater();
  }

  /** Asks it to end after its task. */
  end(): void {
    if (this.state === 'ending') return;
    this.state = 'ending';
    this.isDismissed = true;
    this.link.exit();
    this.#killLater();
  }

  /** Ends it at once. */
  kill(): void {
    this.killed = true;
    this.#process.kill();
  }

  #endHolds(): void {
    for (const end of this.#holds.splice(0)) end();
  }

  #killLater(): void {
    clearTimeout(this.#killTimer);
    this.#killTimer = setTimeout(() => this.kill(), this.#killTimeout);
  }

  #becomeIdle(): void {
    clearTimeout(this.#killTimer);
    this.state = 'idle';
    this.idleSince = performance.now();
  }

  #message(message: WorkerMessage): void {
    const { kind } = message;
    const { task } = this;
    if (kind === fromWorker.ready) {
      this.wasReady = true;
      if (this.state !== 'starting') return;
      this.#becomeIdle();
      this.#owner.becameReady(this);
    } else if (kind === fromWorker.failed) {
      this.#failure ??= this.link.failureOf(message);
    } else if (kind === fromWorker.done || kind === fromWorker.error) {
      this.task = undefined;
      if (this.state !== 'ending') this.#becomeIdle();
      this.#owner.finished(this, task, message);
    } else if (task !== undefined) {
      if (kind === fromWorker.taken) task.taken = true;
      else this.#owner.about(this, task, message);
    }
  }

  #ended(): void {
    clearTimeout(this.#killTimer);
    // The process ends its daemons with itself. Its promises have no readers any more, and workers need no replacement.
    if (isExiting()) return;
    // What it had written whole counts.
    this.link.drain();
    this.link.close();
    // What it has not read, and what it has sent in part.
    this.#endHolds();
    native.arrays.endTicketsOf(this.pid);
    this.#output.finish();
    const exitcode = this.#process.exitcode ?? 0;
    this.state = 'ending';
    const error = this.wasReady || this.killed ? undefined : this.#whyNotReady(exitcode);
    this.#owner.ended(this, exitcode, error);
  }

  /** The failure of a worker that has ended before it was ready. */
  #whyNotReady(exitcode: number): Error {
    const { name, pid } = this;
    if (this.#failure !== undefined) {
      return new ChildProcessError(name, pid, this.#failure, causeOf(this.#failure));
    }
    const message = `ended with exit code ${exitcode} while it loaded its function`;
    const stack = this.#output.tail.trimEnd();
    return this.#process.failure ?? new ChildProcessError(name, pid, { stage: 'import', message, stack });
  }
}
