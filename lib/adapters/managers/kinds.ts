// SPDX-License-Identifier: MIT
//
// The methods by which Python uses the objects of a manager: those of CPython's own queues, dicts, events and locks.
import type { Limits } from '../../core/deadline.js';
import { entriesOf } from '../../serialization/pickle/dicts.js';
import { PythonError } from '../../serialization/pickle/python-error.js';
import { tuple } from '../../serialization/pickle/wrappers.js';
import { isTrue, milliseconds, typeError, wholeNumber, type Arguments } from './arguments.js';
import { ManagedDict } from './managed-dict.js';
import { ManagedEvent } from './managed-event.js';
import { ManagedLock } from './managed-lock.js';
import { ManagedQueue } from './managed-queue.js';
import { serve, type Caller, type Kind, type Served } from './served.js';

/** The limits of a call whose caller may end. */
function limits(caller: Caller, block: unknown, timeout: unknown): Limits {
  if (!isTrue(block)) return { timeout: 0, signal: undefined };
  const ms = milliseconds(timeout);
  if (ms < 0) throw new PythonError('ValueError', ["'timeout' must be a non-negative number"]);
  return { timeout: ms, signal: ms === 0 ? undefined : caller.signal };
}

/** Hands an item to a client. The item comes back if the client's connection ends too early. */
function hand(queue: ManagedQueue, value: unknown, caller: Caller): unknown {
  if (queue.lease !== 'none') {
    const untilNextCall = queue.lease === 'call';
    const release = (clean: boolean): void => {
      if (!clean || !untilNextCall) queue.giveBack(value);
    };
    caller.hold({ owner: queue, untilNextCall, release });
  }
  return value;
}

function get(queue: ManagedQueue, block: unknown, timeout: unknown, caller: Caller): unknown {
  // Without a promise for what is there: most calls find an item.
  const found = queue.takeNow();
  if (found !== undefined) return hand(queue, found.value, caller);
  return queue.take(limits(caller, block, timeout)).then((value) => hand(queue, value, caller));
}

const queueKind: Kind<ManagedQueue> = {
  methods: {
    put(queue, args, caller) {
      const [item, block, timeout] = args.take('item', 'block?', 'timeout?');
      // Without a promise where there is room, as mostly.
      return queue.placeNow(item) ? null : queue.place(item, limits(caller, block, timeout));
    },
    get(queue, args, caller) {
      const [block, timeout] = args.take('block?', 'timeout?');
      return get(queue, block, timeout, caller);
    },
    put_nowait: (queue, args, caller) => queue.place(args.take('item')[0], limits(caller, false, undefined)),
    get_nowait(queue, args, caller) {
      args.take();
      return get(queue, false, undefined, caller);
    },
    qsize: (queue) => queue.qsize(),
    empty: (queue) => queue.empty(),
    full: (queue) => queue.full(),
    task_done(queue, _args, caller) {
      queue.taskDone();
      caller.drop(queue);
    },
    join: (queue, _args, caller) => queue.untilJoined({ timeout: Infinity, signal: caller.signal }),
    shutdown(queue, args) {
      const [immediate = false] = args.take('immediate?');
      queue.shutdown({ immediate: isTrue(immediate) });
    },
  },
  describe: (queue) => `<queue of ${queue.qsize()} items>`,
};

const eventKind: Kind<ManagedEvent> = {
  methods: {
    is_set: (event) => event.isSet(),
    set: (event) => {
      event.set();
    },
    clear: (event) => {
      event.clear();
    },
    wait(event, args, caller) {
      const timeout = Math.max(0, milliseconds(args.take('timeout?')[0]));
      return event.untilSet({ timeout, signal: caller.signal });
    },
  },
  describe: (event) => `<event: ${event.isSet() ? 'set' : 'unset'}>`,
};

const lockKind: Kind<ManagedLock> = {
  methods: {
    async acquire(lock, args, caller) {
      const [block, timeout] = args.take('blocking?', 'timeout?');
      // Python's own locks take -1 for no limit.
      const ms = milliseconds(timeout);
      const limited = limits(caller, block, ms < 0 ? undefined : timeout);
      if (!(await lock.acquireFor(caller, limited))) return false;
      caller.hold({
        owner: lock,
        untilNextCall: false,
        release: () => {
          lock.abandon(caller);
        },
      });
      return true;
    },
    release(lock, _args, caller) {
      if (!lock.locked()) throw new PythonError('RuntimeError', ['release unlocked lock']);
      lock.release();
      caller.drop(lock);
    },
    locked: (lock) => lock.locked(),
  },
  describe: (lock) => `<${lock.locked() ? 'locked' : 'unlocked'} lock>`,
};

/** The entry of a key. Throws KeyError. */
function entryOf(entry: [unknown, unknown] | undefined, key: unknown): [unknown, unknown] {
  if (entry === undefined) throw new PythonError('KeyError', [key]);
  return entry;
}

function update(dict: ManagedDict, args: Arguments): void {
  if (args.positional.length > 1) throw typeError('update expected at most 1 argument');
  const [from = []] = args.positional;
  const pairs = entriesOf(from) ?? from;
  if (!Array.isArray(pairs) || !pairs.every((pair) => Array.isArray(pair) && pair.length === 2)) {
    throw typeError('update() takes a dict, or a list of pairs');
  }
  for (const [key, value] of [...(pairs as [unknown, unknown][]), ...args.keywords]) dict.place(key, value);
}

function copy(dict: ManagedDict): Map<unknown, unknown> {
  return new Map(dict.kept());
}

const dictKind: Kind<ManagedDict> = {
  methods: {
    __contains__: (dict, args) => dict.find(args.take('key')[0]) !== undefined,
    __delitem__(dict, args) {
      const [key] = args.take('key');
      entryOf(dict.remove(key), key);
    },
    __getitem__(dict, args) {
      const [key] = args.take('key');
      return entryOf(dict.find(key), key)[1];
    },
    __iter__: (dict) => new KeyIterator(dict.kept().map(([key]) => key)),
    __len__: (dict) => dict.size,
    __setitem__(dict, args) {
      const [key, value] = args.take('key', 'value');
      dict.place(key, value);
    },
    clear: (dict) => {
      dict.clear();
    },
    copy,
    get(dict, args) {
      const [key, otherwise] = args.take('key', 'default?');
      const entry = dict.find(key);
      return entry === undefined ? otherwise : entry[1];
    },
    items: (dict) => dict.kept().map(([key, value]) => tuple(key, value)),
    keys: (dict) => dict.kept().map(([key]) => key),
    pop(dict, args) {
      const [key, otherwise] = args.take('key', 'default?');
      const entry = dict.remove(key);
      return args.positional.length > 1 && entry === undefined ? otherwise : entryOf(entry, key)[1];
    },
    popitem(dict) {
      const last = dict.kept().at(-1);
      const [key, value] = entryOf(last, 'popitem(): dictionary is empty');
      dict.remove(key);
      return tuple(key, value);
    },
    setdefault(dict, args) {
      const [key, otherwise = null] = args.take('key', 'default?');
      if (dict.find(key) === undefined) dict.place(key, otherwise);
      return dict.find(key)?.[1];
    },
    update,
    values: (dict) => dict.kept().map(([, value]) => value),
  },
  // An AutoProxy cannot make the proxy that this returns; DictProxy calls it without asking.
  hidden: ['__iter__'],
  proxies: { __iter__: 'Iterator' },
  describe: (dict) => `<dict of ${dict.size} entries>`,
  value: copy,
};

/** An iterator of Python over keys as they are kept. */
export class KeyIterator {
  readonly #keys: unknown[];
  #at = 0;

  constructor(keys: unknown[]) {
    this.#keys = keys;
  }

  next(): unknown {
    if (this.#at >= this.#keys.length) throw new PythonError('StopIteration');
    return this.#keys[this.#at++];
  }
}

const iteratorKind: Kind<KeyIterator> = {
  methods: { __next__: (iterator) => iterator.next() },
  describe: () => '<iterator>',
};

/** How an object of this module is served; undefined for any other. */
export function servedAs(object: unknown): Served | undefined {
  if (object instanceof ManagedQueue) return serve(object, queueKind);
  if (object instanceof ManagedEvent) return serve(object, eventKind);
  if (object instanceof ManagedLock) return serve(object, lockKind);
  if (object instanceof ManagedDict) return serve(object, dictKind as Kind<unknown>);
  return object instanceof KeyIterator ? serve(object, iteratorKind) : undefined;
}

/** The types of CPython's `SyncManager` that Node serves: makes an object with the arguments of a client. */
export const syncTypes: Readonly<Record<string, (args: Arguments) => object>> = {
  Queue: (args) => new ManagedQueue(wholeNumber(args.take('maxsize?')[0], 'maxsize', 0)),
  JoinableQueue: (args) =>
    new ManagedQueue({ maxsize: wholeNumber(args.take('maxsize?')[0], 'maxsize', 0), lease: 'taskDone' }),
  Event: () => new ManagedEvent(),
  Lock: () => new ManagedLock(),
  RLock: () => new ManagedLock({ recursive: true }),
  dict(args) {
    const dict = new ManagedDict();
    update(dict, args);
    return dict;
  },
};
