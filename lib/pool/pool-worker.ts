// SPDX-License-Identifier: MIT
//
// One worker of a pool, as the pool sees it: its process, its connections, its output, and the task that it runs.
import { causeOf, type ReportedFailure } from '../core/error-report.js';
import { ChildProcessError } from '../core/errors.js';
import { isExiting } from '../event-loop/sync-wait.js';
import { native } from '../native/addon.js';
import { MessageContext } from '../reduction/attachments.js';
import type { BaseProcess } from '../process/base-process.js';
import { fromWorker, toWorker, type Control, type TaskMessage, type WorkerMessage } from './protocol.js';
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

/** A task as it was sent to a worker. */
interface Dispatch {
  readonly task: Task;
  /** Whether it was written whole. */
  sent: boolean;
  /** Its message, which may hold something until the worker has read it. */
  readonly message: MessageContext;
}

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
  /** Whether its last task took so little time that it had better get the next one ahead. */
  isQuick = false;
  /** How its task was sent. */
  #dispatch: Dispatch | undefined;
  /** The task that it was sent ahead, which it begins after its present one. */
  #ahead: Dispatch | undefined;
  /** Whether anything was said about its task, by either side, since it was sent. */
  #discussed = false;
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

  /** Sends it a task, ahead if it has one. Rejects if that is not possible. */
  async run(task: Task, message: TaskMessage): Promise<void> {
    const dispatch: Dispatch = { task, sent: false, message: new MessageContext(this.link.endpoint) };
    this.tasks++;
    if (this.task === undefined) this.#begin(dispatch);
    else this.#ahead = dispatch;
    await this.link.sendTask(message, dispatch.message);
    dispatch.sent = true;
  }

  #begin(dispatch: Dispatch): void {
    clearTimeout(this.#killTimer);
    if (this.state !== 'ending') this.state = 'busy';
    this.task = dispatch.task;
    this.#dispatch = dispatch;
    this.#discussed = false;
  }

  /** The task that it was sent ahead. */
  get ahead(): Task | undefined {
    return this.#ahead?.task;
  }

  /**
   * Whether it has ended before it had read its task. What else it has not read, such as a task that it was sent ahead, proves
   * nothing about the task.
   */
  get hasMissedTask(): boolean {
    if (this.#dispatch?.sent !== true) return true;
    return this.link.leftUnread && !this.#discussed && this.#ahead === undefined;
  }

  /** Says something about its task. */
  control(kind: Control, count?: number): void {
    if (this.task === undefined) return;
    this.#discussed = true;
    this.link.control(kind, this.task.ticket, count);
  }

  /** A task could not be sent. False if it is none of this worker any more. */
  notSent(task: Task): boolean {
    const ahead = this.#ahead?.task === task ? this.#ahead : undefined;
    const dispatch = ahead ?? (this.task === task ? this.#dispatch : undefined);
    if (dispatch === undefined) return false;
    dispatch.message.settled();
    if (ahead === undefined) this.#taskEnded();
    else this.#ahead = undefined;
    return true;
  }

  /** Makes it give up its task; kills it if it does not in time. The task is no longer told of it. */
  cancel(): void {
    if (this.task === undefined) return;
    this.control(toWorker.cancel);
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

  #killLater(): void {
    clearTimeout(this.#killTimer);
    this.#killTimer = setTimeout(() => this.kill(), this.#killTimeout);
  }

  /** It begins the task that it was sent ahead, or waits. */
  #taskEnded(): void {
    const ahead = this.#ahead;
    this.task = this.#ahead = undefined;
    if (ahead !== undefined) {
      ahead.task.sentAt = performance.now();
      this.#begin(ahead);
    } else if (this.state !== 'ending') {
      this.#becomeIdle();
    }
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
      try {
        this.#failure ??= this.link.failureOf(message);
      } catch {
        // What was not written by this package says nothing. The end of the process does.
      }
    } else if (kind === fromWorker.done || kind === fromWorker.error) {
      this.#taskEnded();
      this.#owner.finished(this, task, message);
    } else if (task !== undefined) {
      this.#discussed = true;
      this.#owner.about(this, task, message);
    }
  }

  #ended(): void {
    clearTimeout(this.#killTimer);
    // The process ends its daemons with itself. Its promises have no readers any more, and workers need no replacement.
    if (isExiting()) return;
    // It gets no more tasks, also if it has ended the last one.
    this.state = 'ending';
    // What it had written whole counts.
    this.link.drain();
    this.link.close();
    // What it has not read, and what it has sent in part.
    for (const dispatch of [this.#dispatch, this.#ahead]) dispatch?.message.settled();
    native.arrays.endTicketsOf(this.pid);
    this.#output.finish();
    const exitcode = this.#process.exitcode ?? 0;
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
