// SPDX-License-Identifier: MIT
import { argumentError } from '../../core/errors.js';
import type { CurrentTask } from './current-task.js';
import { fromWorker } from '../protocol.js';
import type { TaskRow } from './link.js';

type Items = AsyncIterator<unknown> | Iterator<unknown>;

/** A task in a Node worker. */
export class RunningTask {
  readonly ticket: number;
  readonly current: CurrentTask;
  #abort: AbortController | undefined;
  #cancelled = false;
  readonly #send: (kind: number, body: unknown) => Promise<void>;
  #credits: number;
  #closing = false;
  #wake: (() => void) | undefined;

  constructor(
    [, id, ticket, attempt, , , , credits, logs, progress, context = {}]: TaskRow,
    send: (kind: number, body: unknown) => Promise<void>,
  ) {
    this.ticket = ticket;
    this.#credits = credits;
    this.#send = send;
    const report = (kind: number, body: unknown): void => {
      // The pool has gone, or the text cannot be sent: neither is a failure of the function.
      send(kind, body).catch(() => undefined);
    };
    const signal = (): AbortSignal => this.#signal();
    this.current = {
      id,
      attempt,
      context,
      get signal() {
        return signal();
      },
      progress: (done, total) => {
        if (progress) report(fromWorker.progress, [done, total]);
      },
      log: (message, level = 'INFO') => {
        if (logs) report(fromWorker.log, { level, name: 'task', message });
      },
    };
  }

  cancel(): void {
    this.#cancelled = true;
    this.#abort?.abort();
    this.#wakeUp();
  }

  close(): void {
    this.#closing = true;
    this.#wakeUp();
  }

  grant(count: number): void {
    this.#credits += count;
    this.#wakeUp();
  }

  /** Sends the items of a generator, as the pool asks for them. */
  async stream(result: unknown): Promise<void> {
    const items = iteratorOf(await result);
    let ended = false;
    try {
      for (;;) {
        while (this.#credits === 0 && !this.#closing) {
          this.#signal().throwIfAborted();
          await new Promise<void>((resolve) => (this.#wake = resolve));
        }
        this.#signal().throwIfAborted();
        if (this.#closing) return;
        const item = await items.next();
        if (item.done === true) {
          ended = true;
          return;
        }
        this.#credits--;
        await this.#send(fromWorker.item, item.value);
      }
    } finally {
      if (!ended) await items.return?.();
    }
  }

  /** Made when it is asked for: most tasks look at no signal, and one costs more than an empty task. */
  #signal(): AbortSignal {
    this.#abort ??= new AbortController();
    if (this.#cancelled) this.#abort.abort();
    return this.#abort.signal;
  }

  #wakeUp(): void {
    this.#wake?.();
    this.#wake = undefined;
  }
}

function iteratorOf(value: unknown): Items {
  const iterable = Object(value) as Partial<AsyncIterable<unknown> & Iterable<unknown>>;
  const found = iterable[Symbol.asyncIterator]?.() ?? iterable[Symbol.iterator]?.();
  if (found !== undefined) return found;
  throw argumentError('type', 'stream() needs a generator, or a function that returns an iterable');
}
