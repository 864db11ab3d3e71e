// SPDX-License-Identifier: MIT
//
// The connections to a Python worker: tasks and results as pickles over one, and what the pool says about a running task over the
// other, since the worker reads no task meanwhile.
import type { Connection } from '../connection/connection.js';
import { DecodeContext, DeferredMessage } from '../connection/ticketed-message.js';
import type { ReportedFailure } from '../core/error-report.js';
import { RemoteError } from '../core/pool-errors.js';
import { fromWorker, type Control, type TaskMessage, type WorkerMessage } from '../pool/protocol.js';
import { WorkerLink } from '../pool/worker-link.js';
import type { PoolMemory } from './pool-memory.js';
import type { MessageContext } from '../reduction/attachments.js';
import { builtIn } from '../serialization/codec.js';

/** The error of a task: its class, message, arguments and traceback, and the exception; pickles, or null. */
type ErrorBody = readonly [
  type: string,
  message: string,
  args: Buffer | null,
  traceback: string,
  exception: Buffer | null,
];

/** An empty message asks the worker to end. */
const EXIT = Buffer.alloc(0);

/** The value of a pickle that may not be readable here; undefined if it is not. */
function readable(pickle: Buffer | null): unknown {
  try {
    return pickle === null ? undefined : builtIn.pickle.fromOwned(pickle);
  } catch {
    // It is about a class that is not known here. The words about the exception must do.
    return undefined;
  }
}

/** Makes something that is asked for later; an error is thrown then. */
function made(make: () => unknown): () => unknown {
  try {
    const value = make();
    return () => value;
  } catch (error) {
    return () => {
      throw error;
    };
  }
}

export class PythonLink extends WorkerLink {
  readonly #control: Connection<never, never>;
  readonly #memory: PoolMemory;

  constructor(tasks: Connection, control: Connection<never, never>, memory: PoolMemory) {
    super(tasks);
    this.#control = control;
    this.#memory = memory;
  }

  sendTask(task: TaskMessage, message: MessageContext): Promise<void> {
    const { ticket, target, args, kwargs = {}, mode, credits, logs, context = {}, progress } = task;
    const row = [ticket, target, args, kwargs, mode, credits, logs, context, progress];
    let isEncoded = true;
    message.carrier = this.#memory;
    message.onFailure(() => (isEncoded = false));
    const sent = this.send(message, row);
    if (isEncoded) this.#memory.sent();
    return sent;
  }

  control(kind: Control, ticket: number, count = 0): void {
    if (this.#control.closed) return;
    const message = Buffer.alloc(13);
    message.writeUInt8(kind);
    message.writeBigUInt64BE(BigInt(ticket), 1);
    message.writeUInt32BE(count, 9);
    // A worker that has gone is noticed by its end.
    this.#control.sendBytes(message).catch(() => undefined);
  }

  exit(): void {
    if (!this.connection.closed) this.connection.sendBytes(EXIT).catch(() => undefined);
  }

  errorOf(message: WorkerMessage): Error {
    const [type, text, args, traceback, exception] = message.read() as ErrorBody;
    const known = readable(args);
    const report = { type, message: text, args: Array.isArray(known) ? known : [text], traceback };
    const cause = readable(exception);
    return new RemoteError(report, cause === undefined ? undefined : { cause });
  }

  failureOf(message: WorkerMessage): ReportedFailure {
    const [stage, text, stack] = message.read() as [ReportedFailure['stage'], string, string];
    return { stage, message: text, stack };
  }

  override close(): void {
    super.close();
    this.#control.close({ discard: true });
    this.#memory.close();
  }

  protected receive(): WorkerMessage | undefined {
    const bytes = this.connection.tryRecvBytes();
    if (bytes === undefined) return undefined;
    // Behind the pickle, which ends by itself.
    const kind = bytes[bytes.length - 1] ?? fromWorker.failed;
    const context = new DecodeContext(undefined, this.#memory);
    let read = made(() => builtIn.pickle.fromOwned(bytes, context));
    if (context.tickets === undefined) {
      this.#received(kind);
      return { kind, read };
    }
    // Connections, whose descriptors the worker hands out.
    const deferred = new DeferredMessage(context.tickets, builtIn.pickle, bytes, this.#memory);
    const collected = new Promise<void>((resolve) => void deferred.advance(undefined, resolve));
    const whole = collected.then(() => {
      read = made(() => deferred.open());
      this.#received(kind);
    });
    return { kind, whole, read: () => read() };
  }

  #received(kind: number): void {
    const endsTask = kind === fromWorker.done || kind === fromWorker.error;
    if (endsTask || kind === fromWorker.item) this.#memory.received(endsTask);
  }
}
