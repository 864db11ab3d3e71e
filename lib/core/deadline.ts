// SPDX-License-Identifier: MIT
//
// Time limits. A public method turns its timeout into one deadline when it is called, and all of its steps keep that
// deadline.
import { abortError, TimeoutError } from './errors.js';
import { checkBoolean, checkOptionNames, checkSignal, checkTimeout, optionNames } from './validate.js';
import { clearImmediate, setImmediate } from './own-turns.js';

/** Options of all calls that wait. */
export interface WaitOptions {
  /** In milliseconds. Fractions count, a negative number is 0, and undefined, null or Infinity set no limit. */
  timeout?: number | null | undefined;
  /** Ends the wait with an AbortError. */
  signal?: AbortSignal | undefined;
}

type BlockingOptions = WaitOptions & { block?: boolean | undefined };

const waitNames = optionNames<WaitOptions>({ timeout: true, signal: true });
const blockingNames = optionNames<BlockingOptions>({ block: true, timeout: true, signal: true });

/** The longest delay of a timer of Node. A longer one fires at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** The point in time on the monotonic clock, in milliseconds, at which `timeout` milliseconds are over. */
export function deadlineAfter(timeout: number): number {
  return timeout === Infinity ? Infinity : performance.now() + timeout;
}

/** Milliseconds left until a deadline, at least 0. */
export function millisecondsLeft(deadline: number): number {
  return deadline === Infinity ? Infinity : Math.max(0, deadline - performance.now());
}

/** Validated wait options. */
export interface Limits {
  readonly timeout: number;
  readonly signal: AbortSignal | undefined;
}

/** The limits of a call of several steps. */
export class LimitsLeft implements Limits {
  readonly signal: AbortSignal | undefined;
  readonly #deadline: number;

  constructor({ timeout, signal }: Limits) {
    this.signal = signal;
    this.#deadline = deadlineAfter(timeout);
  }

  get timeout(): number {
    return millisecondsLeft(this.#deadline);
  }
}

const unlimited: Limits = { timeout: Infinity, signal: undefined };

/**
 * Checks wait options. Throws for a signal that is already aborted, before the call has done anything.
 *
 * @param names The options of a call that has others too.
 */
export function checkLimits(options: WaitOptions | undefined, names = waitNames): Limits {
  if (options === undefined) return unlimited;
  checkOptionNames(options, names);
  const limits = { timeout: checkTimeout(options.timeout), signal: checkSignal(options.signal) };
  throwIfAborted(limits);
  return limits;
}

/** As `checkLimits`, for what may be tried without waiting: `block: false` makes the time limit 0. */
export function checkBlockingLimits(options: BlockingOptions | undefined): Limits {
  const limits = checkLimits(options, blockingNames);
  if (options?.block === undefined) return limits;
  checkBoolean(options.block, 'block');
  return options.block ? limits : { timeout: 0, signal: limits.signal };
}

/** As `checkLimits`, for an argument that is a timeout in milliseconds, or options. */
export function limitsFrom(limits: number | null | WaitOptions | undefined): Limits {
  return checkLimits(typeof limits === 'object' && limits !== null ? limits : { timeout: limits });
}

/** Whether a call can end before what it waits for has come. */
export function isLimited({ timeout, signal }: Limits): boolean {
  return signal !== undefined || timeout !== Infinity;
}

/** For a step that must not begin any more once the signal has aborted. */
export function throwIfAborted({ signal }: Limits): void {
  if (signal?.aborted === true) throw abortError(signal);
}

/** What ends with a signal. All of it has one listener: Node takes more than ten for a leak. */
class Ends extends Set<() => void> {
  /** Made here and not in a call, which it would keep with its result for as long as the signal lives. */
  readonly run = (): void => {
    for (const end of this) end();
  };
}

const ends = new WeakMap<AbortSignal, Ends>();

/** Calls `end` when the signal aborts. Returns what takes that back. */
export function onceAborted(signal: AbortSignal, end: () => void): () => void {
  const known = ends.get(signal) ?? new Ends();
  ends.set(signal, known);
  if (known.size === 0) signal.addEventListener('abort', known.run, { once: true });
  known.add(end);
  return () => {
    if (known.delete(end) && known.size === 0) signal.removeEventListener('abort', known.run);
  };
}

/**
 * Calls `expire` once, when the time is up or when the signal aborts, whichever is first. The returned function cancels
 * both.
 *
 * A busy event loop runs its timers before it looks at what has arrived meanwhile. So when the time is up, the loop
 * gets one more turn for that.
 *
 * @param timeoutError Makes the error for the end of the time.
 */
export function startLimits(
  limits: Limits,
  keepAlive: boolean,
  timeoutError: () => Error,
  expire: (error: Error) => void,
): () => void {
  const { timeout, signal } = limits;
  const deadline = deadlineAfter(timeout);
  let timer: NodeJS.Timeout | undefined;
  let lastTurn: NodeJS.Immediate | undefined;
  let stopListening: (() => void) | undefined;
  const onTime = (): void => {
    // Timers count whole milliseconds and may fire a little early.
    if (millisecondsLeft(deadline) > 0) {
      schedule();
      return;
    }
    // Never unref()ed: a sleeping loop would run it with its next event only.
    lastTurn = setImmediate(() => {
      cancel();
      expire(timeoutError());
    });
  };
  const schedule = (): void => {
    timer = setTimeout(onTime, Math.min(Math.ceil(millisecondsLeft(deadline)), LONGEST_TIMER));
    if (!keepAlive) timer.unref();
  };
  const onAbort = (): void => {
    cancel();
    expire(abortError(signal as AbortSignal));
  };
  const cancel = (): void => {
    clearTimeout(timer);
    clearImmediate(lastTurn);
    stopListening?.();
  };
  // A signal that has aborted during a pause of the call has no event any more.
  if (signal?.aborted === true) lastTurn = setImmediate(onAbort);
  else if (signal !== undefined) stopListening = onceAborted(signal, onAbort);
  if (timeout !== Infinity) schedule();
  return cancel;
}

/** What a promise settles to, unless the limits end before. */
export async function limited<T>(promise: PromiseLike<T>, limits: Limits, operation: string): Promise<T> {
  let stop!: () => void;
  const end = new Promise<never>((_, reject) => {
    stop = startLimits(limits, true, () => new TimeoutError(operation), reject);
  });
  try {
    return await Promise.race([promise, end]);
  } finally {
    stop();
  }
}
