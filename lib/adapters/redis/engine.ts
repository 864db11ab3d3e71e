// SPDX-License-Identifier: MIT
//
// One queue in Redis: its keys, and the operations on them, each of which is one call of a script.
import { createHash, randomBytes } from 'node:crypto';
import { hostname } from 'node:os';
import { threadId } from 'node:worker_threads';

import { argumentError, ShutDown } from '../../core/errors.js';
import { keysGone, RedisError } from '../../core/redis-errors.js';
import type { Part, RedisConnection } from './client.js';
import { source } from './script.js';

/** The first number of an answer. */
export const OK = 0;
export const NONE = 1;
const GONE = -1;
const DOWN = -2;

/** The keys of a queue, in the order of the script. Braces make a cluster keep them on one node. */
const KEYS = ['state', 'items', 'large', 'back', 'ready', 'room', 'idle'] as const;

/** The operations of the script. */
type Operation =
  'put' | 'get' | 'await' | 'done' | 'count' | 'release' | 'refuse' | 'renew' | 'leave' | 'look' | 'report';

/** The pause before the next attempt while a Redis that was started reads its data, which it says. */
const LOADING_PAUSE_MS = 50;

const sha = createHash('sha1').update(source).digest('hex');

/** What the members of a queue agree on; undefined for what a member leaves to the others. */
export interface Settings {
  readonly maxsize: number | undefined;
  readonly leaseTime: number | undefined;
  readonly serialization: string | undefined;
  readonly expires?: number | undefined;
}

/** What they have agreed on, as far as members need it. */
interface Agreed {
  readonly leaseTime: number;
  /** Empty as long as no member has given one or has put an item. */
  readonly serialization: string;
}

export class RedisEngine {
  readonly name: string;
  readonly connection: RedisConnection;
  /** The name of this member, as other members see it. */
  readonly consumer = `${hostname()}:${process.pid}:${threadId}:${randomBytes(6).toString('hex')}`;
  readonly #settings: Settings;
  readonly #keys: readonly string[];
  #opened: Promise<Agreed> | undefined;

  constructor(connection: RedisConnection, name: string, prefix: string, settings: Settings) {
    this.connection = connection;
    this.name = name;
    this.#settings = settings;
    this.#keys = KEYS.map((key) => `${prefix}{${name}}:${key}`);
  }

  key(name: (typeof KEYS)[number]): string {
    return this.#keys[KEYS.indexOf(name)] as string;
  }

  /** Whether a call has been made. */
  get used(): boolean {
    return this.#opened !== undefined;
  }

  /** Joins the queue, or makes it. What its members agree on then. */
  open(): Promise<Agreed> {
    return (this.#opened ??= this.#open(this.#settings).catch((error: unknown) => {
      this.#opened = undefined;
      throw error;
    }));
  }

  /** The format of the queue: that of the first member which has given one or needs one. */
  async format(): Promise<string> {
    const { serialization } = await this.open();
    if (serialization !== '') return serialization;
    const settings = { ...this.#settings, serialization: 'structured' };
    return (await (this.#opened = this.#open(settings, this.#settings))).serialization;
  }

  async #open(offered: Settings, wanted = offered): Promise<Agreed> {
    const texts = ({ maxsize, leaseTime, serialization }: Settings): string[] =>
      [maxsize, leaseTime, serialization].map((value) => (value === undefined ? '' : `${value}`));
    const given = texts(wanted);
    const answer = (await this.#eval('open', [...texts(offered), `${offered.expires ?? ''}`])).slice(1).map(String) as [
      string,
      string,
      string,
    ];
    ['maxsize', 'leaseTime', 'serialization'].forEach((option, i) => {
      if (given[i] === '' || given[i] === answer[i]) return;
      throw argumentError(
        'range',
        `${option} is '${given[i]}', and the queue '${this.name}' exists with '${answer[i]}': give this, or leave it out`,
      );
    });
    if (answer[2] === 'custom' && wanted.serialization === undefined) {
      throw argumentError('type', `The queue '${this.name}' has a serialization of its own: give the same one`);
    }
    return { leaseTime: Number(answer[1]), serialization: answer[2] };
  }

  /**
   * Runs an operation. The answer begins with `OK` or `NONE`. Rejects with `RedisError`, or `ShutDown` for what ends with
   * a shutdown.
   */
  async run(operation: Operation, args: readonly Part[] = [], connection = this.connection): Promise<unknown[]> {
    await this.open();
    const answer = await this.#eval(operation, args, connection);
    if (answer[0] === GONE && operation !== 'leave') throw keysGone(this.name);
    if (answer[0] === DOWN) throw new ShutDown();
    return answer;
  }

  async shutdown(immediate: boolean): Promise<void> {
    await this.open();
    await this.#eval('shutdown', [immediate ? 'now' : 'drain']);
  }

  async destroy(): Promise<void> {
    await this.#eval('destroy', []);
  }

  async #eval(operation: string, args: readonly Part[], connection = this.connection): Promise<unknown[]> {
    const send = (command: string, script: string): Promise<unknown> => {
      const parts = [command, script, `${this.#keys.length}`, ...this.#keys, operation, this.consumer, ...args];
      return connection.command(operation, this.#keys[0] as string, parts);
    };
    for (;;) {
      try {
        return (await send('EVALSHA', sha)) as unknown[];
      } catch (error) {
        const answer = error instanceof RedisError ? error.message : '';
        // A node that does not know the script yet, or was restarted.
        if (/\bNOSCRIPT\b/.test(answer)) return (await send('EVAL', source)) as unknown[];
        if (!/\bLOADING\b/.test(answer)) throw error;
        await new Promise((resolve) => setTimeout(resolve, LOADING_PAUSE_MS));
      }
    }
  }
}
