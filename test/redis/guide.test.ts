// SPDX-License-Identifier: MIT
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { packageRoot, spawnPeer } from '../helpers/index.js';
import { noHosts } from '../helpers/hosts.js';
import { onRedis, ownServer } from './support/server.js';

describe(onRedis('docs/beyond-one-machine.md'), () => {
  const server = ownServer();

  it('has examples that run', async () => {
    const text = readFileSync(join(packageRoot, 'docs', 'beyond-one-machine.md'), 'utf8');
    const programs = [...text.matchAll(/^```js\n(.*?)^```$/gms)].map(([, program = '']) => program);
    const printed = ['job 1, delivery 1\n', 'a/b\n'];
    expect(programs).to.have.lengthOf(printed.length);
    const folder = mkdtempSync(join(packageRoot, 'out', 'guide-'));
    after(() => rmSync(folder, { recursive: true }));
    writeFileSync(join(folder, 'work.mjs'), "export { join } from 'node:path';");
    for (const [i, program] of programs.entries()) {
      writeFileSync(join(folder, 'main.mjs'), program);
      const args = [join(folder, 'main.mjs')];
      const env = { REDIS_URL: `redis://${server.address}` };
      const peer = spawnPeer({ language: 'node', label: 'example', command: process.execPath, args }, { env });
      expect(await peer.succeeded()).to.equal(printed[i]);
      expect(peer.stderr).to.equal('');
    }
  });

  it('has an example with three hosts, which loses nothing when one of them is killed', async () => {
    const args = [join(packageRoot, 'examples', 'beyond-one-machine', 'main.mjs')];
    const peer = spawnPeer({ language: 'node', label: 'example', command: process.execPath, args });
    const [hosts, result, ...rest] = (await peer.succeeded()).split('\n');
    expect(hosts).to.match(noHosts === undefined ? /^3 hosts: network namespaces$/ : /^3 hosts: processes, since/);
    expect(result).to.match(/^(\d+) of \1 files digested, 0 wrong, after one of the hosts was killed$/);
    expect(rest).to.deep.equal(['']);
  });
});
