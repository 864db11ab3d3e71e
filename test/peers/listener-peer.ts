// SPDX-License-Identifier: MIT
//
// The modes of listener_peer.py with this package. NODE_TEST_MODE=sync makes it use the blocking methods.
import { readFileSync, writeSync } from 'node:fs';

import { EOFError, Listener, type SocketAddress } from 'node-multiprocessing';

import { via, type AnyConnection, type Mode } from '../helpers/channels.js';
import { acceptVia, connectVia } from '../helpers/listeners.js';

const [, , mode = '', ...args] = process.argv;
const how: Mode = process.env['NODE_TEST_MODE'] === 'sync' ? 'sync' : 'async';

function say(line: string): void {
  writeSync(1, `${line}\n`);
}

function keyFrom(text: string): Buffer | undefined {
  return text === 'none' ? undefined : Buffer.from(text, 'hex');
}

async function echo(connection: AnyConnection): Promise<void> {
  try {
    for (;;) await via(how, connection).sendBytes(await via(how, connection).recvBytes());
  } catch (error) {
    if (!(error instanceof EOFError)) throw error;
  }
  connection.close();
}

async function connect(address: string, key: string): Promise<AnyConnection> {
  return connectVia(how, JSON.parse(address) as SocketAddress, { authkey: keyFrom(key), timeout: 60_000 });
}

const runs: Record<string, (...args: string[]) => Promise<void>> = {
  async client(address = '', key = '') {
    let connection: AnyConnection;
    try {
      connection = await connect(address, key);
    } catch (error) {
      say((error as Error).name);
      return;
    }
    say('connected');
    await echo(connection);
  },
  async hello(address = '', key = '') {
    const connection = await connect(address, key);
    await via(how, connection).sendBytes(Buffer.from('hello'));
    connection.close();
  },
  async gone(address = '', key = '') {
    await runs['hello']?.(address, key);
    say('closed');
  },
  async listener(address = '', family = '', key = '', count = '') {
    const listener = new Listener({
      address: (JSON.parse(address) as SocketAddress | null) ?? undefined,
      family: family === 'none' ? undefined : (family as 'AF_INET'),
      authkey: keyFrom(key),
    });
    say(JSON.stringify(listener.address));
    for (let i = 0; i < Number(count); i++) {
      let connection: AnyConnection;
      try {
        connection = await acceptVia(how, listener);
      } catch (error) {
        say((error as Error).name);
        continue;
      }
      say('accepted');
      await echo(connection);
    }
    listener.close();
  },
  async drip(address = '') {
    const connection = await connect(address, 'none');
    writeSync(connection.fileno(), Buffer.alloc(2));
    say('ready');
    readFileSync(0);
  },
};

const run = runs[mode];
if (run === undefined) throw new Error(`unknown mode ${mode}`);
await run(...args);
