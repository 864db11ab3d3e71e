// SPDX-License-Identifier: MIT
//
// The clients of users: node-redis, ioredis and iovalkey, alone and with a cluster. A client is known by its methods, so that
// none of them is a dependency.
import { argumentError } from '../../core/errors.js';
import { commandError } from '../../core/redis-errors.js';

/** A part of a command, or of its answer. */
export type Part = string | Buffer;

type Method = (...args: unknown[]) => unknown;

/**
 * A client of Redis or Valkey that is connected, or connects by itself: one of `redis` (node-redis 5), `ioredis` or
 * `iovalkey`, or a cluster of one of them. A queue sends commands through it, and waits on connections of its own, which
 * `duplicate()` makes.
 */
export interface RedisClient {
  /** Makes a client with the same settings. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any -- The clients have different parameters.
  duplicate(...args: any[]): unknown;
}

/** What a client can do, whichever it is. */
export interface RedisConnection {
  /** Sends a command. Texts in the answer are Buffers. Rejects with `RedisError`. */
  command(operation: string, key: string, args: readonly Part[]): Promise<unknown>;
  /** A connection of its own, which may wait. */
  duplicate(): Promise<RedisConnection>;
  /** Ends a connection that was made by `duplicate`. */
  end(): void;
}

type Methods = Record<'callBuffer' | 'sendCommand' | 'duplicate' | 'connect' | 'disconnect' | 'destroy' | 'on', Method>;

/** Answers with Buffers in the place of texts: the types of RESP, by their first bytes. */
const BUFFERS = { typeMapping: { 36: Buffer, 43: Buffer } };

function ignore(): void {
  // A client without a listener for its errors ends the process; the commands fail for themselves.
}

/** Checks the option `client`. */
export function connectionOf(client: unknown): RedisConnection {
  const methods = client as Partial<Methods> & { masters?: unknown };
  const has = (name: keyof Methods): boolean => typeof methods[name] === 'function';
  if (typeof client === 'object' && client !== null && has('duplicate')) {
    if (has('callBuffer')) return connection(methods as Methods, (m, _, args) => m.callBuffer(...args), 'disconnect');
    // Of node-redis. A cluster must be told by which key it finds the node.
    if (has('sendCommand')) {
      const cluster = 'masters' in methods;
      const send = (m: Methods, key: string, args: readonly Part[]): unknown =>
        cluster ? m.sendCommand(key, false, args, BUFFERS) : m.sendCommand(args, BUFFERS);
      return connection(methods as Methods, send, 'destroy');
    }
  }
  throw argumentError(
    'type',
    "client must be a client of 'redis' (version 5), 'ioredis' or 'iovalkey', or a cluster of one of them",
  );
}

function connection(
  client: Methods,
  send: (client: Methods, key: string, args: readonly Part[]) => unknown,
  end: 'disconnect' | 'destroy',
): RedisConnection {
  return {
    async command(operation, key, args) {
      try {
        return await send(client, key, args);
      } catch (error) {
        throw commandError(operation, error);
      }
    },
    async duplicate() {
      const copy = client.duplicate() as Methods;
      copy.on('error', ignore);
      // Those of node-redis wait for this, and the others connect by themselves.
      if (end === 'destroy') {
        try {
          await copy.connect();
        } catch (error) {
          throw commandError('connect', error);
        }
      }
      return connection(copy, send, end);
    },
    end() {
      client[end]();
    },
  };
}
