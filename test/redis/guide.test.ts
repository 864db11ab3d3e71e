// SPDX-License-Identifier: MIT
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { packageRoot, spawnPeer } from '../helpers/index.js';
import { onRedis, ownServer } from './support/server.js';

describe(onRedis('docs/beyond-one-machine.md'), () => {
  const server = ownServer();

  it('has an example that runs', async () => {
    const text = readFileSync(join(packageRoot, 'docs', 'beyond-one-machine.md'), 'utf8');
    const [, program = ''] = /^```js\n(.*?)^```$/ms.exec(text) ?? [];
    const args = ['--input-type=module', '-e', program];
    const env = { REDIS_URL: `redis://127.0.0.1:${server.port}` };
    const peer = spawnPeer({ language: 'node', label: 'example', command: process.execPath, args }, { env });
    expect(await peer.succeeded()).to.equal('job 1, delivery 1\n');
    expect(peer.stderr).to.equal('');
  });
});
