// SPDX-License-Identifier: MIT
//
// Managers and their clients on different hosts, one of which may vanish without a word.
import { join } from 'node:path';

import { expect } from 'chai';

import { edgePythons, packageRoot, pythonPeer, spawnPeer, within, type Peer, type Program } from '../helpers/index.js';
import { onHosts, ownHosts, withPrefix, type Host } from '../helpers/hosts.js';

const WATCHDOG_MS = 50_000;

function onHost(prefix: readonly string[], program: Program, ...args: string[]): Peer {
  return spawnPeer(withPrefix(prefix, program), { args });
}

const file = join(packageRoot, 'out', 'test', 'lifecycle', 'children', 'manager-host.js');
const node: Program = { language: 'node', label: 'node', command: process.execPath, args: [file] };

async function read(peer: Peer): Promise<unknown> {
  return JSON.parse(await within(WATCHDOG_MS, peer.line(), 'a line')) as unknown;
}

describe(onHosts('Managers on two hosts'), () => {
  const hosts = ownHosts(1);
  let host: Host;
  beforeEach(() => {
    host = hosts.outer[0] as Host;
    host.heal();
  });

  for (const python of edgePythons()) {
    const program = pythonPeer(python, 'managers_peer');

    describe(`with python${python.version}`, () => {
      it("serve the remote manager of CPython's documentation, and what a client that vanishes has got comes back", async () => {
        const server = onHost(hosts.prefix, node, 'serve');
        const [, port] = (await read(server)) as [string, number];
        const address = JSON.stringify([host.middleAddress, port]);
        expect(await read(onHost(host.prefix, program, address, 'example'))).to.equal('hello');
        await onHost(host.prefix, program, address, 'put', '"from Python"').succeeded();
        server.tell('get');
        expect(await read(server)).to.equal('from Python');

        server.tell('put');
        const client = onHost(host.prefix, program, address, 'hold', 'tasks');
        expect(await read(client)).to.equal('task');
        host.lose('both');
        server.tell('task');
        expect(await read(server)).to.equal('task');
      });

      if (python !== edgePythons().at(-1)) return;
      it('tell a client in Node that the host of the manager has vanished', async () => {
        const server = onHost(hosts.prefix, program, '["", 0]', 'serve');
        const [, port] = (await read(server)) as [string, number];
        const client = onHost(host.prefix, node, 'use', JSON.stringify([host.middleAddress, port]));
        expect([await read(client), await read(client)]).to.deep.equal(['hello', 'waits']);
        host.lose('both');
        expect(await read(client)).to.equal('ETIMEDOUT');
      });
    });
  }
});
