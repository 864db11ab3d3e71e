// SPDX-License-Identifier: MIT
//
// The check after each test sees what the test has left, and nothing of other programs that use the package.
import { execFileSync, spawn } from 'node:child_process';
import { closeSync, constants, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { expect } from 'chai';
import { Lock } from 'node-multiprocessing';

import { packageRoot } from '../helpers/index.js';
import { differences, holdings } from '../helpers/leaks.js';

/** A program that makes a lock for each line of its input, and says so. */
const PROGRAM = `
  import { createInterface } from 'node:readline';
  import { Lock } from 'node-multiprocessing';
  const locks = [];
  console.log(process.pid);
  createInterface({ input: process.stdin }).on('line', () => {
    locks.push(new Lock());
    console.log(locks.at(-1).name);
  });`;

/** What is left in /dev/shm. */
function names(before: ReturnType<typeof holdings>): string[] {
  return differences(before, holdings()).filter((line) => line.includes('/dev/shm'));
}

describe('The check for leaks', function () {
  it("sees a test's own names, and no other program's", async function () {
    const before = holdings();
    const own = new Lock();
    const own1 = `left in /dev/shm: sem.${own.name.slice(1)}`;
    expect(names(before)).to.include(own1);

    // As a program of another shell: no descendant of this process, and without its environment.
    const folder = mkdtempSync(join(tmpdir(), 'mp-test-'));
    const [input, output] = [join(folder, 'input'), join(folder, 'output')];
    execFileSync('mkfifo', [input, output]);
    const stdin = openSync(input, 'r+');
    const stdout = new Socket({ fd: openSync(output, constants.O_RDONLY | constants.O_NONBLOCK) });
    const command = 'env -u NODE_MULTIPROCESSING_TEST_RUN "$0" --input-type=module -e "$1" <"$2" >"$3" &';
    execFileSync('sh', ['-c', command, process.execPath, PROGRAM, input, output], {
      cwd: packageRoot,
      stdio: 'ignore',
    });
    const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
    try {
      expect(Number((await lines.next()).value)).to.be.greaterThan(0);
      writeSync(stdin, '\n');
      const { value: foreign } = (await lines.next()) as { value: string };
      expect(foreign).to.match(/^\/mp-/);
      const seen = names(before);
      expect(seen).to.include(own1);
      expect(seen.join('\n')).not.to.include(foreign.slice(1));
    } finally {
      // The program ends with its input.
      closeSync(stdin);
      await lines.next();
      stdout.destroy();
      rmSync(folder, { recursive: true });
      own.close();
    }
    expect(names(before).filter((line) => line.includes('sem.'))).to.deep.equal([]);
  });

  it('sees names of processes that have ended', async function () {
    const before = holdings();
    const killed = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM], {
      cwd: packageRoot,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const lines = createInterface({ input: killed.stdout })[Symbol.asyncIterator]();
    await lines.next();
    killed.stdin.write('\n');
    const { value: name } = (await lines.next()) as { value: string };
    const ended = new Promise((resolve) => killed.once('exit', resolve));
    killed.kill('SIGKILL');
    await ended;
    expect(names(before)).to.include(`left in /dev/shm: sem.${name.slice(1)}`);
    // The next family removes what the killed process has left.
    const sweeper = spawn(process.execPath, ['--input-type=module', '-e', PROGRAM], {
      cwd: packageRoot,
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const swept = createInterface({ input: sweeper.stdout })[Symbol.asyncIterator]();
    await swept.next();
    sweeper.stdin.write('\n');
    await swept.next();
    sweeper.stdin.end();
    await new Promise((resolve) => sweeper.once('exit', resolve));
    expect(names(before)).to.deep.equal([]);
  });
});
