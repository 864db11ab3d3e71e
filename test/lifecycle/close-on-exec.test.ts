// SPDX-License-Identifier: MIT
import { spawn } from 'node:child_process';

import { expect } from 'chai';

import { makePair, within } from '../helpers/index.js';
import { child } from './support/programs.js';

describe('A child process', function () {
  it('inherits the descriptors that were listed for it and no other, whatever is open', async function () {
    const { reader, writer } = makePair('pipe');
    const { command, args } = child('close-on-exec');
    const stdio: ('ignore' | 'pipe' | 'inherit' | number)[] = Array.from({ length: 21 }, () => 'ignore');
    stdio[1] = 'pipe';
    stdio[2] = 'inherit';
    stdio[20] = reader.fileno();
    const peer = spawn(command, args, { stdio });
    let text = '';
    peer.stdout!.on('data', (data: Buffer) => (text += data.toString()));
    const closed = new Promise((resolve) => peer.once('close', resolve));
    try {
      await within(50_000, closed, 'the end of the child');
    } finally {
      peer.kill('SIGKILL');
    }
    const { before, after, atFirst, none, one } = JSON.parse(text);
    expect({ before, after }).to.deep.equal({ before: false, after: true });
    // At first descriptor 20 was still inheritable. Descriptor 3 (or 4) is the folder that `ls` reads.
    expect(none).to.deep.equal(atFirst.filter((fd: string) => fd !== '20'));
    expect(one).to.deep.equal([...none, '4'].sort());
    writer.close();
  });
});
