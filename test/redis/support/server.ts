// SPDX-License-Identifier: MIT
//
// A redis-server of the tests: on a port and in a folder of its own.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Redis } from 'ioredis';
import { Redis as Valkey } from 'iovalkey';
import { createClient } from 'redis';
import type { RedisClient } from 'node-multiprocessing/redis';

/** The version of the redis-server on the PATH; undefined without one. */
export const serverVersion = /v=(\S+)/.exec(
  spawnSync('redis-server', ['--version'], { encoding: 'utf8' }).stdout ?? '',
)?.[1];

/** The title of a suite, which says what it ran on, or why it did not. */
export function onRedis(title: string): string {
  return serverVersion === undefined
    ? `${title} (not run: no redis-server on the PATH; apt-get install redis-server)`
    : `${title} (redis-server ${serverVersion})`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** A client that the test closes, and how. */
export interface TestClient {
  readonly client: RedisClient;
  command(...args: string[]): Promise<unknown>;
  close(): void;
}

function ignore(): void {
  // The calls that need the connection report what is wrong.
}

type ClientKind = 'redis' | 'redis, RESP3' | 'ioredis' | 'iovalkey';
export const clientKinds: readonly ClientKind[] = ['redis', 'redis, RESP3', 'ioredis', 'iovalkey'];

/** Connects a client of one of the packages. */
export async function connect(port: number, kind: ClientKind = 'redis', host = '127.0.0.1'): Promise<TestClient> {
  if (kind === 'ioredis' || kind === 'iovalkey') {
    const options = { port, host, retryStrategy: () => 20, maxRetriesPerRequest: null };
    const client = kind === 'ioredis' ? new Redis(options) : new Valkey(options);
    client.on('error', ignore);
    return {
      client,
      command: (name, ...args) => client.call(name, ...args),
      close: () => client.disconnect(),
    };
  }
  const client = createClient({
    RESP: kind === 'redis' ? 2 : 3,
    socket: { port, host, reconnectStrategy: 20 },
  });
  client.on('error', ignore);
  await client.connect();
  return { client, command: (...args) => client.sendCommand(args), close: () => client.destroy() };
}

/** Where a server runs. */
interface Place {
  /** What its command begins with. */
  readonly prefix: readonly string[];
  readonly bind: string;
}

export class RedisServer {
  readonly #place: Place;
  readonly #folder = mkdtempSync(join(tmpdir(), 'mp-redis-'));
  readonly #clients: TestClient[] = [];
  #process: ChildProcess | undefined;
  port = 0;

  constructor(place: Place) {
    this.#place = place;
  }

  get pid(): number {
    return this.#process?.pid as number;
  }

  /** The address as the programs of the tests take it. */
  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Starts the server, and again on the same port and with what it has written. */
  async start(): Promise<void> {
    if (this.port === 0) this.port = await freePort();
    const { prefix, bind } = this.#place;
    const options = ['--port', `${this.port}`, '--bind', bind, '--dir', this.#folder, '--save', ''];
    options.push('--protected-mode', 'no');
    const durable = ['--appendonly', 'yes', '--appendfsync', 'always'];
    const [command = '', ...args] = [...prefix, 'redis-server', ...options, ...durable];
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#process = child;
    await new Promise<void>((resolve, reject) => {
      let text = '';
      child.stdout.setEncoding('utf8').on('data', (part: string) => {
        text += part;
        if (text.includes('Ready to accept connections')) resolve();
      });
      child.once('exit', () => reject(new Error(`redis-server has ended:\n${text}`)));
    });
  }

  /** Ends the server by a signal, and waits for its end. */
  async end(signal: NodeJS.Signals = 'SIGKILL'): Promise<void> {
    const child = this.#process;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'close');
    child.kill(signal);
    await ended;
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.kill(signal);
  }

  async connect(kind?: ClientKind): Promise<TestClient> {
    const client = await connect(this.port, kind);
    this.#clients.push(client);
    return client;
  }

  closeClients(): void {
    for (const client of this.#clients.splice(0)) client.close();
  }

  /** Ends the server, and removes its folder. */
  async remove(): Promise<void> {
    this.closeClients();
    await this.end();
    rmSync(this.#folder, { recursive: true });
  }
}

/**
 * Called inside a describe: a server for its tests, which are skipped where there is none. After each test its clients are
 * closed. With `each`, every test gets a server of its own.
 */
export function ownServer(each = false, place: Place = { prefix: [], bind: '127.0.0.1' }): RedisServer {
  const server = new RedisServer(place);
  before(async function () {
    if (serverVersion === undefined) this.skip();
    if (!each) await server.start();
  });
  beforeEach(async () => {
    if (each) await server.start();
  });
  afterEach(async () => {
    server.closeClients();
    if (each) await server.end();
  });
  after(() => server.remove());
  return server;
}
