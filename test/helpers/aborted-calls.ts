// SPDX-License-Identifier: MIT
//
// What holds for each call that takes a signal: it ends when the signal aborts, and takes nothing with it. The same holds
// for its time limit.
import { getEventListeners } from 'node:events';

import { expect } from 'chai';

import { rejects, turns, within } from './assertions.js';

/** A call that waits, and its surroundings. */
export interface Scene {
  /** The object that has the method. */
  readonly on: object;
  /** The arguments of the method, which has another name in the scene of a second case. */
  args(signal: AbortSignal): readonly unknown[];
  /** The name of its time limit. Default `timeout`. */
  readonly limit?: string;
  /** Whether a library that the call uses needs the timers of the program. */
  readonly needsTimers?: boolean;
  /** What the call is made in, such as the hold of a lock. */
  within?(call: () => unknown): Promise<unknown>;
  /** Makes what the call waits for. */
  supply(): unknown;
  /** Another call, which gets what the aborted one has not taken. */
  next(): Promise<unknown>;
  /** Disposes of what the call has resolved to. */
  taken?(value: unknown): void;
  close(): unknown;
}

/** A queue of any kind: local, of a manager, over Redis. */
interface Numbers {
  put(item: number): Promise<unknown>;
  get(): Promise<unknown>;
}

/** A put into a queue that has one place, and one item. */
export async function putting(queue: Numbers, close: () => unknown): Promise<Scene> {
  await queue.put(1);
  return {
    on: queue,
    args: (signal) => [2, { signal }],
    supply: () => queue.get(),
    next: async () => {
      await queue.put(3);
      expect(await queue.get()).to.equal(3);
    },
    close,
  };
}

/** A join of a queue with one item that is not finished. */
export async function joining(
  queue: Numbers & { taskDone(): unknown; join(): Promise<unknown> },
  close: () => unknown,
): Promise<Scene> {
  await queue.put(1);
  await queue.get();
  return {
    on: queue,
    args: (signal) => [{ signal }],
    supply: () => queue.taskDone(),
    next: () => queue.join(),
    close,
  };
}

const LONG_MS = 60_000;
const aborted = { name: 'AbortError', code: 'ABORT_ERR' };

/** The codes of calls whose time is up. */
const OUT_OF_TIME = ['ERR_MP_TIMEOUT', 'ERR_MP_EMPTY', 'ERR_MP_FULL', 'ERR_MP_BROKEN_BARRIER', 'ERR_MP_TASK_TIMEOUT'];

/** A signal of another class, as a library or a test environment may have one. */
class OtherSignal {
  readonly #listeners = new Set<() => void>();
  aborted = false;
  reason: unknown;

  addEventListener(_type: string, listener: () => void): void {
    this.#listeners.add(listener);
  }

  removeEventListener(_type: string, listener: () => void): void {
    this.#listeners.delete(listener);
  }

  abort(reason: unknown): void {
    this.aborted = true;
    this.reason = reason;
    for (const listener of [...this.#listeners]) listener();
  }

  get listening(): number {
    return this.#listeners.size;
  }
}

/** A signal that aborts at the moment at which its call stops listening: when the call has what it waits for. */
function abortingAtTheEnd(): AbortSignal {
  const controller = new AbortController();
  const { signal } = controller;
  const remove = signal.removeEventListener.bind(signal);
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    remove(...args);
    controller.abort();
  };
  return signal;
}

function listenersOf(signal: AbortSignal): number {
  return getEventListeners(signal, 'abort').length;
}

async function drained(items: AsyncIterable<unknown>): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const item of items) all.push(item);
  return all;
}

/** Makes the call. An iterator ends with its last item. */
function call(scene: Scene, method: string, signal: AbortSignal): Promise<unknown> {
  return callWith(scene, method, scene.args(signal));
}

function callWith(scene: Scene, method: string, args: readonly unknown[]): Promise<unknown> {
  const start = async (): Promise<unknown> => {
    const { [method]: called } = scene.on as Record<string, (...args: readonly unknown[]) => unknown>;
    const result = called!.apply(scene.on, [...args]);
    const isIterator = typeof result === 'object' && result !== null && Symbol.asyncIterator in result;
    return await (isIterator ? drained(result as AsyncIterable<unknown>) : result);
  };
  const ending = within(LONG_MS, scene.within?.(start) ?? start(), method);
  // Some tests look later.
  ending.catch(() => undefined);
  return ending;
}

/** The arguments of a call, with a short time limit in place of the signal. */
function limitedArgs(scene: Scene): unknown[] {
  const { signal } = new AbortController();
  const isOptions = (arg: unknown): boolean => Object(arg) === arg && Object.values(arg as object).includes(signal);
  const limits = { signal: undefined, [scene.limit ?? 'timeout']: 1 };
  return scene.args(signal).map((arg) => (isOptions(arg) ? { ...(arg as object), ...limits } : arg));
}

/**
 * The call ends when its time is up, takes nothing along, and says which call it was.
 *
 * Regression: the error of a call of a manager named a method that the caller had not called.
 */
async function endsInTime(scene: Scene, method: string): Promise<void> {
  const outcome: unknown = await callWith(scene, method, limitedArgs(scene)).catch((error: unknown) => error);
  if (outcome instanceof Error) {
    const { code } = outcome as { code?: string };
    expect(code, outcome.stack).to.be.oneOf(OUT_OF_TIME);
    if (code === 'ERR_MP_TIMEOUT') expect(outcome.message).to.match(new RegExp(`^${method}\\b.* timed out`));
  } else if (outcome !== false) expect(outcome).to.deep.equal([]);
  await scene.supply();
  await within(LONG_MS, scene.next(), 'the next call');
}

/** Each way in which a signal can abort, for one call. */
const ways: Record<string, (scene: Scene, method: string) => Promise<void>> = {
  'before the call': async (scene, method) => {
    const reason = new Error('early');
    const signal = AbortSignal.abort(reason);
    expect(await rejects(call(scene, method, signal), aborted)).to.have.property('cause', reason);
    expect(listenersOf(signal)).to.equal(0);
    await scene.supply();
    await within(LONG_MS, scene.next(), 'the next call');
  },
  'while it waits': async (scene, method) => {
    const controller = new AbortController();
    const failure = rejects(call(scene, method, controller.signal), aborted);
    await turns();
    const reason = new Error('now');
    controller.abort(reason);
    expect(await failure).to.have.property('cause', reason);
    expect(listenersOf(controller.signal)).to.equal(0);
    await scene.supply();
    await within(LONG_MS, scene.next(), 'the next call');
  },
  'while it waits, a signal of another class': async (scene, method) => {
    const signal = new OtherSignal();
    const failure = rejects(call(scene, method, signal as never), aborted);
    await turns();
    const reason = new Error('now');
    signal.abort(reason);
    expect(await failure).to.have.property('cause', reason);
    expect(signal.listening).to.equal(0);
    await scene.supply();
    await within(LONG_MS, scene.next(), 'the next call');
  },
  'in the turn in which it gets what it waits for': async (scene, method) => {
    const controller = new AbortController();
    const ending = call(scene, method, controller.signal);
    await turns();
    const supplied = scene.supply();
    controller.abort();
    await endOf(scene, ending, controller.signal);
    await supplied;
  },
  'when it has what it waits for': async (scene, method) => {
    const signal = abortingAtTheEnd();
    const ending = call(scene, method, signal);
    await turns();
    const supplied = scene.supply();
    await endOf(scene, ending, signal);
    await supplied;
  },
  'by its time limit': endsInTime,
  'never, under fake timers': underFakeTimers,
  never: async (scene, method) => {
    const { signal } = new AbortController();
    const ending = call(scene, method, signal);
    await turns();
    await scene.supply();
    const value = await ending;
    scene.taken?.(value);
    expect(listenersOf(signal)).to.equal(0);
  },
};

/**
 * A program whose timers a test framework has replaced: what has arrived needs no timer.
 *
 * Regression: a put that waited for a slot did not get it.
 */
async function underFakeTimers(scene: Scene, method: string): Promise<void> {
  if (scene.needsTimers === true) return;
  const { setImmediate, queueMicrotask } = globalThis;
  Object.assign(globalThis, { setImmediate: () => ({}), queueMicrotask: () => undefined });
  try {
    await ways['never']!(scene, method);
  } finally {
    Object.assign(globalThis, { setImmediate, queueMicrotask });
  }
}

/** The call has the thing, or the next one gets it. */
async function endOf(scene: Scene, ending: Promise<unknown>, signal: AbortSignal): Promise<void> {
  let failure: unknown;
  await ending.then(scene.taken?.bind(scene), (error: unknown) => (failure = error));
  expect(listenersOf(signal)).to.equal(0);
  if (failure === undefined) return;
  expect(failure).to.include(aborted);
  await within(LONG_MS, scene.next(), 'the next call');
}

type Make = () => Scene | Promise<Scene>;

/** Cases by the name of the method with its class, or of the function with braces. Some calls have several. */
export type Cases = Readonly<Record<string, Make | readonly Make[]>>;

async function inScene(way: string, make: Make, test: (scene: Scene) => Promise<void>): Promise<void> {
  const scene = await make();
  try {
    await test(scene);
  } catch (error) {
    throw new Error(`aborted ${way}`, { cause: error });
  } finally {
    await scene.close();
  }
}

/** @param blocking The names of all blocking calls that take a signal. */
async function endsWhenAborted(name: string, make: Make, blocking: ReadonlySet<string>): Promise<void> {
  const method = /\w+(?=(\(\))?$)/.exec(name)![0];
  for (const [way, test] of Object.entries(ways)) await inScene(way, make, (scene) => test(scene, method));
  if (!blocking.has(blockingForm(name))) return;
  await inScene('before the blocking call', make, async (scene) => {
    await rejects(call(scene, `${method}Sync`, AbortSignal.abort()), aborted);
    await scene.supply();
    await within(LONG_MS, scene.next(), 'the next call');
  });
  await inScene('by the time limit of the blocking call', make, (scene) => endsInTime(scene, `${method}Sync`));
}

function blockingForm(name: string): string {
  return name.replace(/(\(\))?$/, 'Sync$1');
}

/** All cases in one test, for scenes that share something. */
export async function allEndWhenAborted(cases: Cases): Promise<void> {
  for (const [name, makers] of Object.entries(cases)) {
    for (const make of [makers].flat()) {
      await endsWhenAborted(name, make, new Set()).catch((error: unknown) => {
        throw new Error(name, { cause: error });
      });
    }
  }
}

/**
 * A test for each case, and one that finds calls without a case.
 *
 * @param abortable The names of all calls that take a signal.
 * @param elsewhere Those that have their test in another place.
 */
export function theyEndWhenAborted(
  cases: Cases,
  abortable: readonly string[],
  elsewhere: readonly string[] = [],
): void {
  const known = [...Object.keys(cases), ...elsewhere];
  const blocking = new Set(known.map(blockingForm).filter((name) => abortable.includes(name)));

  it('this page has a case of every call that takes a signal', () => {
    expect(abortable.filter((name) => !blocking.has(name))).to.have.members(known);
  });

  for (const [name, makers] of Object.entries(cases)) {
    [makers].flat().forEach((make, i) => {
      it(`${name}${i > 0 ? ` (${i + 1})` : ''}`, () => endsWhenAborted(name, make, blocking));
    });
  }
}
