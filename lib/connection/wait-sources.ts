// SPDX-License-Identifier: MIT
//
// Waits until at least one of several channels and descriptors can be read.
import { nextTurn } from '../event-loop/next-turn.js';

import { deadlineAfter, type Limits } from '../core/deadline.js';
import { systemError, TimeoutError } from '../core/errors.js';
import { KeepAlive } from '../event-loop/keep-alive.js';
import { PendingCall } from '../event-loop/pending-call.js';
import { arm, ensureStarted, takeTurn, type Pollable } from '../event-loop/reactor.js';
import { blockOn, flushUnwritten } from '../event-loop/sync-wait.js';
import { native, READ } from '../native/addon.js';
import type { Channel } from './channel.js';

/** One thing to wait for: a channel, or a descriptor that is watched through a copy. */
export interface Source {
  readonly fd: number;
  readonly channel: Channel | undefined;
}

/** A channel as a source. */
export function channelSource(channel: Channel): Source {
  return { fd: channel.fd, channel };
}

/** A descriptor as a source. Throws a system error (EBADF) for a descriptor that is not open. */
export function descriptorSource(fd: number): Source {
  const status = native.describe(fd, new Int32Array(5));
  if (status < 0) throw systemError(status, 'fstat', `descriptor ${fd}`);
  return { fd, channel: undefined };
}

/** Which of the sources are ready now. A channel may hold a message in memory, unknown to the kernel. */
function readyNow(sources: readonly Source[]): boolean[] {
  const triples = new Int32Array(sources.flatMap(({ fd }) => [fd, READ, 0]));
  const count = sources.length > 0 ? native.poll(triples, 0) : 0;
  return sources.map(({ channel }, i) => channel?.receiver.ready === true || (count > 0 && triples[3 * i + 2] !== 0));
}

/** A descriptor that no channel owns, watched for one wait. */
class WatchedDescriptor implements Pollable {
  readonly id: number;
  readonly #callback: () => void;

  constructor(fd: number, callback: () => void) {
    this.#callback = callback;
    this.id = native.watch(fd);
    if (this.id < 0) throw systemError(this.id, 'fcntl', `descriptor ${fd}`);
    const failure = arm(this, READ);
    if (failure === undefined) return;
    this.release();
    throw failure;
  }

  onReady(): void {
    this.#callback();
  }

  release(): void {
    arm(this, 0);
    native.release(this.id);
  }
}

/** Calls `callback` when a source may have become readable. Returns a function that ends the watch. */
export function watch({ fd, channel }: Source, callback: () => void): () => void {
  if (channel !== undefined) return channel.onceReadable(callback);
  const watched = new WatchedDescriptor(fd, callback);
  return () => {
    watched.release();
  };
}

/** A wait that could not be answered at once. */
class Wait extends PendingCall<boolean[]> {
  readonly #find: () => readonly Source[];
  readonly #watches: (() => void)[] = [];

  constructor(find: () => readonly Source[], keepAlive: KeepAlive) {
    super(keepAlive);
    this.#find = find;
    this.onEnd = () => this.#unwatch();
    this.attempt(() => this.#watch(find()));
  }

  #watch(sources: readonly Source[]): void {
    for (const source of sources) this.#watches.push(watch(source, this.#look));
  }

  readonly #look = (): void => {
    if (this.ended) return;
    this.attempt(() => {
      // A Connection that was closed meanwhile is an error, as it would have been at the start.
      const sources = this.#find();
      const ready = readyNow(sources);
      if (ready.includes(true)) {
        this.resolve(ready);
        return;
      }
      this.#unwatch();
      this.#watch(sources);
    });
  };

  #unwatch(): void {
    for (const end of this.#watches.splice(0)) end();
  }
}

/**
 * Waits until a source is ready. Resolves to one flag for each source, all false when the time is up.
 *
 * @param find Returns the sources. Called at each check, and throws if a source is gone.
 */
export async function waitForSources(
  find: () => readonly Source[],
  limits: Limits,
  keepAlive: boolean,
): Promise<boolean[]> {
  ensureStarted();
  if (!takeTurn()) await nextTurn();
  const ready = readyNow(find());
  if (ready.includes(true) || limits.timeout <= 0) return ready;
  const keeper = new KeepAlive();
  keeper.on = keepAlive;
  const wait = new Wait(find, keeper);
  const timeoutError = (): Error => new TimeoutError('wait');
  wait.limit(limits, timeoutError, (error) => {
    if (error instanceof TimeoutError) wait.resolve(ready);
  });
  return await wait.promise;
}

/** The blocking form of `waitForSources`. */
export function waitForSourcesSync(sources: readonly Source[], timeout: number): boolean[] {
  ensureStarted();
  const deadline = deadlineAfter(timeout);
  flushUnwritten();
  for (;;) {
    const ready = readyNow(sources);
    if (ready.includes(true)) return ready;
    const fds = sources.map(({ fd }) => fd);
    if (blockOn(fds, deadline, 'wait').expired) return ready;
  }
}

/** Waits until a channel is ready. False when the time is up. `find` throws if the channel is closed. */
export async function isReady(find: () => Channel, timeout: number, keepAlive: KeepAlive): Promise<boolean> {
  const [ready = false] = await waitForSources(
    () => [channelSource(find())],
    { timeout, signal: undefined },
    keepAlive.on,
  );
  return ready;
}

/** The blocking form of `isReady`. */
export function isReadySync(channel: Channel, timeout: number): boolean {
  return waitForSourcesSync([channelSource(channel)], timeout).includes(true);
}
