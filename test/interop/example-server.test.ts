// SPDX-License-Identifier: MIT
//
// The HTTP server of examples/python-worker, with real sockets.
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';

import { expect } from 'chai';

import { edgePythons, packageRoot, spawnPeer, within, type Peer, type Program } from '../helpers/index.js';

const file = join(packageRoot, 'examples', 'python-worker', 'main.mjs');

async function serve(python: string): Promise<{ readonly peer: Peer; readonly port: number }> {
  const program: Program = { language: 'node', label: 'example', command: process.execPath, args: [file, '0'] };
  const peer = spawnPeer(program, { env: { PYTHON: python } });
  const url = await peer.line();
  return { peer, port: Number(new URL(url).port) };
}

/** Sends a request by hand. Resolves when the first part of the body has come. */
async function request(port: number, name: string, body: string): Promise<Socket> {
  const socket = connect(port, 'localhost');
  socket.on('error', () => undefined);
  socket.write(`POST /${name} HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${body.length}\r\n\r\n${body}`);
  let received = '';
  await within(
    60_000,
    new Promise<void>((resolve) => {
      socket.on('data', (chunk: Buffer) => {
        received += chunk.toString();
        if (received.includes('one\n')) resolve();
      });
    }),
    'the first word',
  );
  return socket;
}

for (const { version, path } of edgePythons()) {
  describe(`The HTTP server over Python ${version}`, () => {
    it('frees a worker for the next request when the client hangs up', async () => {
      const { peer, port } = await serve(path);
      const long = `one ${'word '.repeat(10_000)}`;
      // As many readers as there are workers, each of which would take hours.
      for (let round = 0; round < 3; round++) {
        const readers = await Promise.all([request(port, 'read_aloud', long), request(port, 'read_aloud', long)]);
        for (const reader of readers) reader.destroy();
        const options = { method: 'POST', body: 'one two two' };
        const response = await within(60_000, fetch(`http://localhost:${port}/count`, options), 'the next request');
        expect(await response.json()).to.deep.equal({ words: 3, common: { two: 2, one: 1 } });
      }
      peer.kill('SIGTERM');
      await peer.succeeded();
      expect(peer.stderr).to.equal('');
    });
  });
}
