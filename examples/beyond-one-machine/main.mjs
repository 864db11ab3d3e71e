// SPDX-License-Identifier: MIT
//
// node examples/beyond-one-machine/main.mjs [folder]
//
// Digests every file below a folder with workers on three hosts, of which one is killed in the middle. The files travel over
// Redis, which this program starts (Debian: redis-server). Each digest is compared with one that is made here.
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { createClient } from 'redis';
import { RedisPool } from 'node-multiprocessing/redis';

import { makeHosts } from './hosts.mjs';

const here = fileURLToPath(new URL('.', import.meta.url));
const program = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));
const PORT = 6390;
const HOSTS = 3;

/** @type {import('node:child_process').ChildProcess[]} */
const processes = [];

/**
 * Starts a program, and resolves when it has printed a text.
 *
 * @param {string[]} command
 * @param {NodeJS.ProcessEnv} env
 * @param {string} text
 */
async function start([command = '', ...args], env, text) {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', 'pipe', 'inherit'] });
  processes.push(child);
  await new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', () => reject(new Error(`${command} has ended`)));
    child.stdout.on('data', (/** @type {Buffer} */ printed) => printed.includes(text) && resolve(undefined));
  });
  return child;
}

/** @param {string} folder */
function* files(folder) {
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue;
    const name = join(entry.parentPath, entry.name);
    yield { name, bytes: new Uint8Array(readFileSync(name)) };
  }
}

const data = mkdtempSync(join(tmpdir(), 'beyond-'));
const { hosts, kind } = makeHosts(HOSTS);
try {
  const addresses = new Set(['127.0.0.1', ...hosts.map(({ redis }) => redis)]);
  const options = ['--port', `${PORT}`, '--bind', ...addresses, '--protected-mode', 'no', '--dir', data];
  await start(['redis-server', ...options, '--appendonly', 'yes', '--maxmemory-policy', 'noeviction'], {}, 'Ready to');
  const url = `redis://127.0.0.1:${PORT}`;
  const client = createClient({ url }).on('error', ({ message }) => console.error(`redis: ${message}`));
  await client.connect();

  console.log(`${HOSTS} hosts: ${kind}`);
  const workers = await Promise.all(
    hosts.map(({ redis, prefix }, i) => {
      const where = ['--redis', `redis://${redis}:${PORT}`, '--name', 'digest'];
      const what = [
        '--module',
        join(here, 'digest.mjs'),
        '--target',
        'digest',
        '--processes',
        '1',
        '--lease-time',
        '1000',
      ];
      return start(
        [...prefix, process.execPath, program, 'worker', ...where, ...what],
        { HOST: `host ${i + 1}` },
        'ready',
      );
    }),
  );

  /** @type {RedisPool<typeof import('./digest.mjs').digest>} */
  const pool = new RedisPool({ client, name: 'digest', processes: HOSTS, leaseTime: 1000, retries: 2 });
  const expected = new Map();
  const all = [...files(process.argv[2] ?? join(here, '..'))];
  for (const { name, bytes } of all) expected.set(name, createHash('sha256').update(bytes).digest('hex'));
  let done = 0;
  let wrong = 0;
  for await (const result of pool.imapUnordered(all)) {
    if (expected.get(result.name) !== result.digest) wrong++;
    // As if the machine had lost its power.
    if (++done === Math.ceil(all.length / 3)) workers[0]?.kill('SIGKILL');
  }
  console.log(`${done} of ${all.length} files digested, ${wrong} wrong, after one of the hosts was killed`);
  await pool.close();
  await client.close();
  process.exitCode = wrong > 0 || done < all.length ? 1 : 0;
} finally {
  // Redis, which was started first, ends last: workers give back what they have.
  for (const child of processes.reverse()) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    child.removeAllListeners('exit').kill('SIGTERM');
    await once(child, 'exit');
  }
  for (const host of hosts) host.remove();
  rmSync(data, { recursive: true });
}
