// SPDX-License-Identifier: MIT
//
// The connection to a Node worker: structured clones in both directions, so that Connections and queues can be in them.
import { rebuildReported, type ReportedFailure } from '../../core/error-report.js';
import { UnpicklingError } from '../../core/errors.js';
import { RemoteError } from '../../core/pool-errors.js';
import type { MessageContext } from '../../reduction/attachments.js';
import type { TaskContext } from '../context.js';
import { fromWorker, toWorker, type Control, type Mode, type TaskMessage, type WorkerMessage } from '../protocol.js';
import { WorkerLink } from '../worker-link.js';

/**
 * A task as it travels: its values without names, which would be most of a small message, and of the time that it takes.
 * node_multiprocessing.py makes such rows, too.
 */
export type TaskRow = readonly [
  kind: typeof toWorker.task,
  id: number,
  ticket: number,
  attempt: number,
  target: string | undefined,
  args: readonly unknown[],
  mode: Mode,
  credits: number,
  logs: boolean,
  progress: boolean,
  context: TaskContext | undefined,
];

/** What a Node worker receives. */
export type ToNode =
  TaskRow | readonly [kind: Control, ticket: number, count: number] | readonly [kind: typeof toWorker.exit];

/** What a Node worker sends: a kind and its body. */
export type FromNode = readonly [kind: number, body?: unknown];

export class NodeLink extends WorkerLink {
  sendTask(task: TaskMessage, message: MessageContext): Promise<void> {
    const { id, ticket, attempt, target, args, mode, credits, logs, progress, context } = task;
    const row: TaskRow = [toWorker.task, id, ticket, attempt, target, args, mode, credits, logs, progress, context];
    return this.send(message, row);
  }

  control(kind: Control, ticket: number, count = 0): void {
    this.#tell([kind, ticket, count]);
  }

  exit(): void {
    this.#tell([toWorker.exit]);
  }

  errorOf(message: WorkerMessage): Error {
    const { message: text, stack, thrown } = message.read() as ReportedFailure;
    const cause = thrown === undefined ? undefined : rebuildReported(thrown);
    const error = cause instanceof Error ? cause : undefined;
    const report = { type: error?.name ?? 'Error', message: error?.message ?? text, args: [], traceback: stack };
    return new RemoteError(report, thrown === undefined ? undefined : { cause });
  }

  failureOf(message: WorkerMessage): ReportedFailure {
    return message.read() as ReportedFailure;
  }

  protected receive(): WorkerMessage | undefined {
    try {
      const received = this.connection.tryRecv();
      if (received === undefined) return undefined;
      const [kind, body] = received.value as FromNode;
      return { kind, read: () => body };
    } catch (error) {
      if (!(error instanceof UnpicklingError)) throw error;
      // Objects whose descriptors cannot be opened here. The task cannot have its value, whichever it was.
      const read = (): never => {
        throw error;
      };
      return { kind: fromWorker.item, read };
    }
  }

  #tell(message: ToNode): void {
    if (this.connection.closed) return;
    // A worker that has gone is noticed by its end.
    this.connection.send(message).catch(() => undefined);
  }
}
