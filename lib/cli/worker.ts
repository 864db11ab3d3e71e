// SPDX-License-Identifier: MIT
//
// npx node-multiprocessing worker: a RedisPoolWorker, with a client that the user's project has.
import { createRequire } from 'node:module';
import { join, resolve } from 'node:path';

import type { RedisClient } from '../adapters/redis/client.js';
import type * as Library from '../adapters/redis/pool/worker.js';

/** The options of the command line. */
export interface WorkerCommand {
  readonly redis: string;
  readonly name: string;
  readonly module: string;
  readonly target: string;
  readonly processes?: string;
  readonly serialization?: 'json' | 'pickle' | 'structured';
  readonly prefix?: string;
  readonly leaseTime?: string;
}

interface Client extends RedisClient {
  connect(): Promise<unknown>;
  disconnect(): unknown;
  on(event: 'error', listener: (error: Error) => void): unknown;
}

/** What the packages of clients export. */
interface ClientPackage {
  readonly createClient?: (options: { readonly url: string }) => Client;
  readonly Redis?: new (url: string) => Client;
}

const PACKAGES = ['redis', 'ioredis', 'iovalkey'];

/** Connects with the first package of clients that is installed where the command runs. */
async function connect(url: string): Promise<Client> {
  const require = createRequire(join(process.cwd(), 'worker.js'));
  const find = (name: string): ClientPackage | undefined => {
    try {
      require.resolve(name);
    } catch {
      return undefined;
    }
    // Not in the try block: a module that the client needs may be missing, too.
    return require(name) as ClientPackage;
  };
  for (const name of PACKAGES) {
    const { createClient, Redis } = find(name) ?? {};
    const client = createClient?.({ url }) ?? (Redis && new Redis(url));
    if (client === undefined) continue;
    client.on('error', ({ message }) => process.stderr.write(`redis: ${message}\n`));
    if (createClient !== undefined) await client.connect();
    return client;
  }
  throw new Error(`no client of Redis is installed here: npm install ${PACKAGES.join(', or ')}`);
}

/** Works until SIGINT or SIGTERM, and then ends when the tasks that run are done. */
export async function runWorker(options: WorkerCommand): Promise<void> {
  const { redis, module, processes, leaseTime, ...others } = options;
  const number = (text: string | undefined): number | undefined => (text === undefined ? undefined : Number(text));
  const client = await connect(redis);
  try {
    // The library, which the other commands do not need.
    const library = (await import(new URL('../redis.js', import.meta.url).href)) as typeof Library;
    const worker = new library.RedisPoolWorker({
      ...others,
      client,
      module: resolve(module),
      processes: number(processes),
      leaseTime: number(leaseTime),
    });
    try {
      await worker.ready();
      process.stdout.write(`Worker of ${others.name} is ready\n`);
      await new Promise((stop) => {
        for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, stop);
      });
    } finally {
      await worker.close();
    }
  } finally {
    await client.disconnect();
  }
}
