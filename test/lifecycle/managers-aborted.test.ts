// SPDX-License-Identifier: MIT
//
// As aborted-calls.test.ts, for managers.
import { connect, type Socket } from 'node:net';

import { expect } from 'chai';
import { ManagedEvent, ManagedLock, ManagedQueue, ManagerClient, ManagerServer } from 'node-multiprocessing/managers';

import { joining, putting, theyEndWhenAborted, type Cases, type Scene } from '../helpers/aborted-calls.js';
import { abortableCalls } from '../helpers/declarations.js';
import { ownTmpdir } from '../helpers/index.js';

type Args = (signal: AbortSignal) => readonly unknown[];

const authkey = Buffer.from('key');
const options: Args = (signal) => [{ signal }];

/** A server, and streams to it that are connected when the test says so. */
class Host {
  readonly queue = new ManagedQueue<number>();
  readonly server = new ManagerServer({ authkey, allowShutdown: true });
  readonly clients: ManagerClient[] = [];
  #waiting: (() => void) | undefined;
  #waits = false;

  constructor() {
    this.server.register('get_queue', this.queue);
  }

  readonly connect = async (): Promise<Socket> => {
    if (this.#waits) await new Promise<void>((resolve) => (this.#waiting = resolve));
    return connect(this.server.address as string);
  };

  async client(): Promise<ManagerClient> {
    const client = await ManagerClient.connect({ connect: this.connect, authkey });
    this.clients.push(client);
    return client;
  }

  /** From now on streams wait. */
  wait(): void {
    this.#waits = true;
  }

  go(): void {
    this.#waits = false;
    this.#waiting?.();
  }

  async close(): Promise<void> {
    this.go();
    for (const client of this.clients) await client.close();
    this.server.close();
  }
}

// Regression: neither a signal nor a time limit reached what makes the stream.
function asking(name: 'create' | 'numberOfObjects' | 'debugInfo' | 'shutdown', args = options): () => Promise<Scene> {
  return async () => {
    const host = new Host();
    const client = await host.client();
    host.wait();
    return {
      on: client,
      args,
      supply: () => host.go(),
      next: () => (name === 'create' ? client.create('get_queue') : client[name]()),
      close: () => host.close(),
    };
  };
}

const cases: Cases = {
  'ManagerClient.connect': () => {
    const host = new Host();
    host.wait();
    return {
      on: ManagerClient,
      args: (signal) => [{ connect: host.connect, authkey, signal }],
      supply: () => host.go(),
      next: () => host.client(),
      taken: (client) => host.clients.push(client as ManagerClient),
      close: () => host.close(),
    };
  },
  'ManagerClient.create': asking('create', (signal) => ['get_queue', [], { signal }]),
  'ManagerClient.numberOfObjects': asking('numberOfObjects'),
  'ManagerClient.debugInfo': asking('debugInfo'),
  'ManagerClient.shutdown': asking('shutdown'),
  'ManagerProxy.call': async () => {
    const host = new Host();
    const proxy = await (await host.client()).create('get_queue');
    return {
      on: proxy,
      args: (signal) => ['get', [], { signal }],
      supply: () => host.queue.put(1),
      next: async () => expect(await proxy.call('get')).to.equal(1),
      close: () => host.close(),
    };
  },
  'ManagedEvent.wait': () => {
    const event = new ManagedEvent();
    return { on: event, args: options, supply: () => event.set(), next: () => event.wait(), close: () => undefined };
  },
  'ManagedLock.acquire': async () => {
    const lock = new ManagedLock();
    await lock.acquire();
    const next = async (): Promise<unknown> => expect(await lock.acquire()).to.equal(true);
    return { on: lock, args: options, supply: () => lock.release(), next, close: () => undefined };
  },
  'ManagedQueue.put': () => putting(new ManagedQueue<number>(1), () => undefined),
  'ManagedQueue.get': () => {
    const queue = new ManagedQueue<number>();
    const next = async (): Promise<unknown> => expect(await queue.get()).to.equal(1);
    return { on: queue, args: options, supply: () => queue.put(1), next, close: () => undefined };
  },
  'ManagedQueue.join': () => joining(new ManagedQueue<number>(), () => undefined),
};

describe('A call of a manager that takes a signal ends when the signal aborts', () => {
  ownTmpdir();

  theyEndWhenAborted(cases, abortableCalls('managers'));
});
