// SPDX-License-Identifier: MIT
//
// Each call that takes a signal ends with it, takes nothing along, and leaves nothing behind. The calls are found in the
// declarations, so a new one needs its case here.
import { closeSync } from 'node:fs';

import { expect } from 'chai';
import * as mp from 'node-multiprocessing';

import { joining, putting, theyEndWhenAborted, type Cases, type Scene } from '../helpers/aborted-calls.js';
import { abortableCalls } from '../helpers/declarations.js';
import { ownTmpdir, rejects, TOO_LONG, turns, type AnyConnection } from '../helpers/index.js';
import * as targets from './children/process-targets.js';
import { startWith } from './support/processes.js';

type Args = (signal: AbortSignal) => readonly unknown[];

const options: Args = (signal) => [{ signal }];

function ignore(): void {
  // The scene says what is expected.
}

/** A Connection that receives. */
function receiving(
  args: Args,
  supply: (other: AnyConnection) => unknown,
  next: (end: AnyConnection) => Promise<unknown>,
  taken?: (value: unknown) => void,
): () => Scene {
  return () => {
    const [end, other] = mp.Pipe() as [AnyConnection, AnyConnection];
    return {
      on: end,
      args,
      supply: () => supply(other),
      next: () => next(end),
      ...(taken && { taken }),
      close: () => {
        end.close();
        other.close();
      },
    };
  };
}

/** A Connection whose other end has no room. The next message must be the one of the next call. */
function sending(args: Args, pipe: mp.ConnectionOptions = {}): () => Scene {
  return () => {
    const [end, other] = mp.Pipe(true, pipe) as [AnyConnection, AnyConnection];
    const filled = end.send(Buffer.alloc(TOO_LONG));
    filled.catch(ignore);
    return {
      on: end,
      args,
      supply: () => other.recv(),
      next: async () => {
        await end.send('next');
        expect(await other.recv()).to.equal('next');
      },
      close: () => {
        end.close({ discard: true });
        other.close();
      },
    };
  };
}

function withHandle(value: unknown): void {
  closeSync(value as number);
}

/** A queue that is empty. */
function getting<T>(
  make: () => mp.BaseQueue<number>,
  args: Args,
  next: (queue: mp.BaseQueue<number>) => Promise<T>,
  expected: T,
): () => Scene {
  return () => {
    const queue = make();
    return {
      on: queue,
      args,
      supply: () => queue.put(1),
      next: async () => expect(await next(queue)).to.deep.equal(expected),
      close: () => queue.close(),
    };
  };
}

/** A scene of a queue that is closed in the end. */
function closing<Q extends mp.Queue<number>>(
  queue: Q,
  scene: (queue: Q, close: () => void) => Promise<Scene>,
): Promise<Scene> {
  return scene(queue, () => queue.close());
}

const leased = (): mp.JoinableQueue<number> => new mp.JoinableQueue({ leases: true, leaseBytes: 64 * 1024 });

/** Something that is acquired, and is not free. */
function acquiring(
  make: () => { readonly on: object; free(): unknown; close(): void },
  args: Args,
  next: (on: never) => Promise<unknown>,
): () => Scene {
  return () => {
    const { on, free, close } = make();
    return { on, args, supply: free, next: () => next(on as never), close };
  };
}

function takenSemaphore(): { on: mp.Semaphore; free(): void; close(): void } {
  const on = new mp.Semaphore(0);
  return { on, free: () => on.release(), close: () => on.close() };
}

function heldCondition(): { on: mp.Condition; free(): void; close(): void } {
  const on = new mp.Condition(new mp.Lock());
  on.acquireSync();
  return { on, free: () => on.release(), close: () => on.close() };
}

/** An object with a lock of its own, which is held. */
function held(on: mp.Value | mp.Array): { on: mp.Value | mp.Array; free(): unknown; close(): void } {
  let free!: () => void;
  const holds = on.withLock(() => new Promise<void>((resolve) => (free = resolve)));
  return {
    on,
    free: () => {
      free();
      return holds;
    },
    close: () => {
      free();
      on.close();
    },
  };
}

const locked: Args = (signal) => [() => 'run', { signal }];
const runs = (on: mp.Semaphore | mp.Condition | mp.Value): Promise<unknown> => on.withLock(() => 'run');

/** Waits for a notification, which a condition does not keep. */
function notified(args: Args): () => Scene {
  return () => {
    const condition = new mp.Condition();
    let isTrue = false;
    const supply = (): Promise<void> => {
      isTrue = true;
      return condition.withLock(() => condition.notify());
    };
    return {
      on: condition,
      args: (signal) => (args === options ? args(signal) : [() => isTrue, { signal }]),
      within: (call) => condition.withLock(call),
      supply,
      next: async () => {
        const waits = condition.withLock(() => condition.wait());
        await supply();
        return await waits;
      },
      close: () => condition.close(),
    };
  };
}

const cases: Cases = {
  'Connection.recv': receiving(
    options,
    (other) => other.send(1),
    async (end) => expect(await end.recv()).to.equal(1),
  ),
  'Connection.recvBytes': receiving(
    (signal) => [undefined, { signal }],
    (other) => other.sendBytes(Buffer.of(1)),
    async (end) => expect(await end.recvBytes()).to.have.lengthOf(1),
  ),
  'Connection.recvBytesInto': receiving(
    (signal) => [Buffer.alloc(1), 0, { signal }],
    (other) => other.sendBytes(Buffer.of(1)),
    async (end) => expect(await end.recvBytesInto(Buffer.alloc(1))).to.equal(1),
  ),
  'Connection.recvMany': receiving(
    (signal) => [2, { signal }],
    (other) => other.send(1),
    async (end) => expect(await end.recvMany()).to.deep.equal([1]),
  ),
  'Connection.recvHandle': receiving(
    options,
    (other) => other.sendHandle(2),
    async (end) => withHandle(await end.recvHandle()),
    withHandle,
  ),
  'Connection.send': [
    sending((signal) => [1, { signal }]),
    sending((signal) => [1, { signal }], { sends: 'accepted', sendBuffer: 1 }),
  ],
  'Connection.sendBytes': sending((signal) => [Buffer.of(1), 0, 1, { signal }]),
  'Connection.sendHandle': sending((signal) => [2, { signal }]),
  'Connection.flush': sending(options),
  'BaseQueue.put': () => closing(new mp.Queue<number>(1), putting),
  'BaseQueue.get': [
    getting(
      () => new mp.Queue(),
      options,
      (queue) => queue.get(),
      1,
    ),
    getting(
      () => new mp.SimpleQueue(),
      options,
      (queue) => queue.get(),
      1,
    ),
  ],
  'BaseQueue.getMany': getting(
    () => new mp.Queue(),
    (signal) => [2, { signal }],
    (queue) => queue.getMany(),
    [1],
  ),
  'JoinableQueue.get': [
    getting(
      () => new mp.JoinableQueue(),
      options,
      (queue) => queue.get(),
      1,
    ),
    getting(leased, options, (queue) => queue.get(), 1),
  ],
  'JoinableQueue.getMany': getting(
    leased,
    (signal) => [2, { signal }],
    (queue) => queue.getMany(),
    [1],
  ),
  'JoinableQueue.getLease': getting(
    leased,
    options,
    async (queue) => (await (queue as mp.JoinableQueue<number>).getLease()).item,
    1,
  ),
  'JoinableQueue.join': [() => closing(new mp.JoinableQueue<number>(), joining), () => closing(leased(), joining)],
  'Queue.joinThread': async () => {
    const queue = new mp.Queue<Buffer>();
    const other = mp.attach(mp.describe(queue)) as mp.Queue<Buffer>;
    await queue.put(Buffer.alloc(TOO_LONG));
    queue.close();
    return {
      on: queue,
      args: options,
      supply: () => other.get(),
      next: () => queue.joinThread(),
      close: () => other.close(),
    };
  },
  'SemLock.acquire': acquiring(takenSemaphore, options, async (on: mp.Semaphore) =>
    expect(await on.acquire()).to.equal(true),
  ),
  'SemLock.withLock': acquiring(takenSemaphore, locked, runs),
  'SemLock.guard': acquiring(takenSemaphore, options, (on: mp.Semaphore) => on.guard()),
  'Condition.acquire': acquiring(heldCondition, options, async (on: mp.Condition) =>
    expect(await on.acquire()).to.equal(true),
  ),
  'Condition.withLock': acquiring(heldCondition, locked, runs),
  'Condition.guard': acquiring(heldCondition, options, (on: mp.Condition) => on.guard()),
  'Value.withLock': acquiring(() => held(new mp.Value('i')), locked, runs),
  'SharedArray.withLock': acquiring(() => held(new mp.Array('i', 1)), locked, runs),
  'NamedSemaphore.wait': acquiring(
    () => {
      const on = mp.NamedSemaphore.create(`/mp-aborted-${process.pid}-${Math.random().toString(36).slice(2)}`, 0);
      on.unlink();
      return { on, free: () => on.post(), close: () => on.close() };
    },
    options,
    async (on: mp.NamedSemaphore) => expect(await on.wait()).to.equal(true),
  ),
  'Condition.wait': notified(options),
  'Condition.waitFor': notified((signal) => [ignore, { signal }]),
  'Event.wait': () => {
    const event = new mp.Event();
    return {
      on: event,
      args: options,
      supply: () => event.set(),
      next: () => event.wait(),
      close: () => event.close(),
    };
  },
  // An abort breaks it for all parties.
  'Barrier.wait': () => {
    const barrier = new mp.Barrier(2);
    return {
      on: barrier,
      args: options,
      supply: () => void barrier.wait().catch(ignore),
      next: async () => {
        await barrier.reset();
        await Promise.all([barrier.wait(), barrier.wait()]);
      },
      close: () => barrier.close(),
    };
  },
  'Listener.accept': () => {
    const listener = new mp.Listener();
    const made: mp.Connection[] = [];
    return {
      on: listener,
      args: options,
      supply: async () => made.push(await mp.Client(listener.address)),
      next: async () => made.push(await listener.accept()),
      taken: (value) => made.push(value as mp.Connection),
      close: () => {
        listener.close();
        for (const connection of made) connection.close();
      },
    };
  },
  'Client()': () => {
    const authkey = Buffer.from('key');
    const listener = new mp.Listener({ authkey });
    const made: mp.Connection[] = [];
    const add = (connection: unknown): unknown => made.push(connection as mp.Connection);
    const accept = (): void => void listener.accept().then(add, ignore);
    return {
      on: mp,
      args: (signal) => [listener.address, { authkey, signal }],
      supply: accept,
      next: async () => {
        // The first may be told of the peer that has given up.
        accept();
        add(await mp.Client(listener.address, { authkey }));
      },
      taken: add,
      close: () => {
        listener.close();
        for (const connection of made) connection.close();
      },
    };
  },
  'wait()': () => {
    const [end, other] = mp.Pipe() as [AnyConnection, AnyConnection];
    return {
      on: mp,
      args: (signal) => [[end], { signal }],
      supply: () => other.send(1),
      next: () => mp.wait([end]),
      close: () => {
        end.close();
        other.close();
      },
    };
  },
  'BaseProcess.join': () => {
    const { child, connection } = startWith(targets.echo, []);
    return {
      on: child,
      args: options,
      supply: () => connection.close(),
      next: async () => expect(await child.join()).to.equal(true),
      close: ignore,
    };
  },
};

describe('A call that takes a signal ends when the signal aborts', () => {
  ownTmpdir();

  const ofPools = abortableCalls('index').filter((name) => /^(Base|Python)Pool\./.test(name));
  theyEndWhenAborted(cases, abortableCalls('index'), ['ParentProcess.join', ...ofPools]);

  // Regression: Node warned of a leak of listeners.
  it('so do many calls with one signal, without a warning', async () => {
    const queue = new mp.Queue();
    const controller = new AbortController();
    const warnings: Error[] = [];
    const note = (warning: Error): unknown => warnings.push(warning);
    process.on('warning', note);
    try {
      const gets = Array.from({ length: 20 }, () => queue.get({ signal: controller.signal }));
      await turns();
      controller.abort();
      for (const get of gets) await rejects(get, { code: 'ABORT_ERR' });
      await turns();
    } finally {
      process.off('warning', note);
      queue.close();
    }
    expect(warnings).to.deep.equal([]);
  });

  it('ParentProcess.join', async () => {
    const { child, connection } = startWith(targets.abortJoinsOfParent, []);
    expect(await connection.recv()).to.deep.equal(['ABORT_ERR', 'ABORT_ERR', 0, false]);
    await child.join();
  });
});
