// SPDX-License-Identifier: MIT
//
// What a get that waits sends to Redis.
import { expect } from 'chai';
import { RedisJoinableQueue, RedisQueue, type RedisClient } from 'node-multiprocessing/redis';

import { rejects, within } from '../helpers/index.js';
import { onRedis, ownServer } from './support/server.js';

type Send = (args: readonly string[], options?: unknown) => Promise<unknown>;

/** The methods of a client of node-redis that a queue calls. */
interface Methods {
  sendCommand: Send;
  on(name: string, listener: () => void): unknown;
  connect(): Promise<unknown>;
  destroy(): void;
  duplicate(): Methods;
}

/** A client whose commands can be held up, but for those on the connections that wait, which are noted. */
class WatchedClient {
  readonly waits: (readonly string[])[] = [];
  readonly #client: Methods;
  #held: Promise<void> = Promise.resolve();
  #looksBehind!: () => void;
  /** Resolves when a look was sent behind a wait. */
  readonly looksBehind = new Promise<void>((resolve) => {
    this.#looksBehind = resolve;
  });

  constructor(client: RedisClient) {
    this.#client = client as Methods;
  }

  /** Holds commands up. Returns what lets them go on. */
  hold(): () => void {
    let release!: () => void;
    this.#held = new Promise((resolve) => {
      release = resolve;
    });
    return release;
  }

  readonly sendCommand: Send = async (args, options) => {
    await this.#held;
    return await this.#client.sendCommand(args, options);
  };

  duplicate(): object {
    const copy = this.#client.duplicate();
    const sendCommand: Send = (args, options) => {
      this.waits.push(args);
      if (args.includes('await')) this.#looksBehind();
      return copy.sendCommand(args, options);
    };
    return {
      sendCommand,
      duplicate: () => copy.duplicate(),
      on: (name: string, listener: () => void) => copy.on(name, listener),
      connect: () => copy.connect(),
      destroy: () => copy.destroy(),
    };
  }
}

describe(onRedis('A get that waits in Redis'), () => {
  const server = ownServer();

  it('has its item with the end of the wait, without another round trip', async () => {
    const { client } = await server.connect();
    const watched = new WatchedClient(client);
    const consumer = new RedisJoinableQueue<string>({ client: watched, name: 'one trip', serialization: 'json' });
    const producer = new RedisJoinableQueue<string>({ client, name: 'one trip', serialization: 'json' });
    const gets = [consumer.get(), consumer.get()];
    await within(30_000, watched.looksBehind, 'the wait');
    const release = watched.hold();
    await producer.put('first');
    await producer.put('second');
    expect(await within(30_000, Promise.all(gets), 'the items')).to.deep.equal(['first', 'second']);
    release();
    for (let i = 0; i < 2; i++) await consumer.taskDone();
    await producer.join();
    await Promise.all([consumer.close(), producer.close()]);
  });

  it('leaves no look behind that takes an item when it has given up, or hands one out for good', async () => {
    const { client } = await server.connect();
    const watched = new WatchedClient(client);
    const limited = new RedisQueue({ client: watched, name: 'limited' });
    await rejects(limited.get({ timeout: 20 }), { code: 'ERR_MP_EMPTY' });
    await limited.close();
    const once = new RedisQueue<number>({ client: watched, name: 'at most once', ack: 'get' });
    const got = once.get();
    const producer = new RedisQueue<number>({ client, name: 'at most once' });
    await producer.put(1);
    expect(await within(30_000, got, 'the item')).to.equal(1);
    await Promise.all([once.close(), producer.close()]);
    expect(watched.waits.map(([command]) => command))
      .to.include('BLPOP')
      .and.not.include('EVALSHA');
  });

  // The connection of a wait ends after the consumer has left. An item that its look took then was held back for a whole lease.
  it('takes nothing for a consumer that has left', async () => {
    const { client, command } = await server.connect();
    const watched = new WatchedClient(client);
    const consumer = new RedisQueue<string>({ client: watched, name: 'left' });
    const got = rejects(consumer.get(), { code: 'ERR_MP_CLOSED' });
    await within(30_000, watched.looksBehind, 'the wait');
    const look = watched.waits.find((args) => args.includes('await')) as string[];
    await consumer.close();
    await got;
    const other = new RedisQueue<string>({ client, name: 'left' });
    await other.put('kept');
    expect(await command(...look)).to.deep.equal([-1]);
    expect(await other.getNowait()).to.equal('kept');
    await other.close();
  });
});

describe(onRedis('A call over Redis that must not wait'), () => {
  const server = ownServer();

  // Regression: the put waited for the serialization of the queue, then for room, and for ever.
  it('rejects: a put without room, of a queue that is closed in the same turn', async () => {
    const { client } = await server.connect();
    const full = new RedisQueue<number>({ client, name: 'full', maxsize: 1 });
    await full.put(1);
    const queue = new RedisQueue<number>({ client, name: 'full' });
    const put = rejects(queue.put(2), { code: 'ERR_MP_CLOSED' });
    await within(30_000, queue.close(), 'close()');
    await within(30_000, put, 'the put');
    expect(await full.get()).to.equal(1);
    await full.close();
  });

  // Regression: it said that items are unfinished, of which there were none.
  it('resolves: a join without items that are unfinished', async () => {
    const { client } = await server.connect();
    const queue = new RedisJoinableQueue<number>({ client, name: 'finished' });
    await queue.join({ timeout: 0 });
    await queue.put(1);
    await rejects(queue.join({ timeout: 0 }), { code: 'ERR_MP_TIMEOUT', waiting: 1 });
    await queue.get();
    await queue.taskDone();
    await queue.join({ timeout: 0 });
    await queue.close();
  });
});
