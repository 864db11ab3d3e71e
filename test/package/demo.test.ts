// SPDX-License-Identifier: MIT
//
// The demo as its users run it: `npm run demo -- folder`.
import { spawnSync } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import { expect } from 'chai';
import { Pipe } from 'node-multiprocessing';

import { newestPython, packageRoot, rejects, spawnPeer, type Peer, type Program } from '../helpers/index.js';

const digest = join(packageRoot, 'examples', 'digest');
const main = join(digest, 'main.mjs');
const MIB = 1024 * 1024;

/** What a message of the demo can carry besides its first byte. */
const PART_BYTES = MIB - 1;

/** Marks the processes of one run in their environments, so that they can be found whoever their parent is by now. */
const MARK = 'NODE_TEST_DEMO_MARK';

const ESCAPE = '\x1b';

/** Ends the worker when it asks for the fifth message. */
const FOUR_MESSAGES = `
from multiprocessing.connection import Connection
receive, left = Connection.recv_bytes, [4]
def limited(self):
    left[0] -= 1
    return receive(self) if left[0] >= 0 else sys.exit(4)
Connection.recv_bytes = limited
runpy.run_path(sys.argv[1])`;

/** What takes root's power to read everything, and nothing else, from the program that follows. */
const HUMBLE = ['setpriv', '--bounding-set', '-dac_override,-dac_read_search'];

/** One of the two worker programs. */
function workerProgram(language: 'node' | 'python'): Program {
  return language === 'node'
    ? { language, label: language, command: process.execPath, args: [join(digest, 'worker.mjs')] }
    : { language, label: language, command: newestPython().path, args: [join(digest, 'worker.py')] };
}

describe('demo', () => {
  let folder: string;
  let mark: string;

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'demo-'));
    mark = randomUUID();
  });

  afterEach(() => {
    rmSync(folder, { recursive: true, force: true });
  });

  function demo(target: string, env: Record<string, string> = {}, execArgv: readonly string[] = []): Peer {
    const program: Program = { language: 'node', label: 'demo', command: process.execPath, args: [...execArgv, main] };
    return spawnPeer(program, { args: [target], env: { PYTHON: newestPython().path, [MARK]: mark, ...env } });
  }

  /** In a terminal of its own. Once something was shown, `control` is typed. */
  function demoInTerminal(target: string, control = ''): Peer {
    const script = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0:
    # A sanitizer's runtime is for Node alone.
    if os.environ['NODE_TEST_PRELOAD']:
        os.environ['LD_PRELOAD'] = os.environ['NODE_TEST_PRELOAD']
    os.execv(sys.argv[2], sys.argv[2:])
typed = not sys.argv[1]
while True:
    try:
        data = os.read(terminal, 65536)
    except OSError:
        break
    os.write(1, data)
    if not typed:
        typed = True
        os.write(terminal, sys.argv[1].encode())
status = os.waitpid(pid, 0)[1]
sys.exit(100 + os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status))`;
    const { path } = newestPython();
    const program: Program = { language: 'python', label: 'terminal', command: path, args: ['-c', script] };
    const args = [control, process.execPath, main, target];
    const preload = process.env['LD_PRELOAD'] ?? '';
    return spawnPeer(program, { args, env: { PYTHON: path, [MARK]: mark, NODE_TEST_PRELOAD: preload } });
  }

  /** Stands for the interpreter, and is called with the path of worker.py, which `body` can run. */
  function fakePython(body: string): Record<string, string> {
    const file = join(folder, '..', `fake-python-${mark}`);
    writeFileSync(file, `#!${newestPython().path}\nimport os, runpy, sys\n${body}\n`, { mode: 0o755 });
    return { PYTHON: file };
  }

  afterEach(() => {
    rmSync(join(tmpdir(), `fake-python-${mark}`), { force: true });
  });

  function files(count: number, bytes: number): string {
    const target = join(folder, 'files');
    mkdirSync(target);
    for (let i = 0; i < count; i++) writeFileSync(join(target, `file-${i}`), Buffer.alloc(bytes, i));
    return target;
  }

  /** A file that keeps the demo busy for as long as a test needs, and takes no room. */
  function endless(): string {
    const target = join(folder, 'endless');
    mkdirSync(target);
    writeFileSync(join(target, 'zeros'), '');
    truncateSync(join(target, 'zeros'), 2 ** 40);
    return target;
  }

  function marked(): string[] {
    return readdirSync('/proc').filter((pid) => {
      try {
        return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/environ`, 'latin1').includes(mark);
      } catch {
        return false;
      }
    });
  }

  async function allGone(): Promise<void> {
    // The test's own time limit is the watchdog.
    while (marked().length > 0) await sleep(20);
  }

  /** The rows of the closing table, by worker. */
  function rows(stdout: string): Map<string, string[]> {
    return new Map(
      stdout
        .split('\n')
        .map((line) => line.trim().split(/\s+/))
        .filter(([name]) => name === 'node' || name === 'python')
        .map(([name, ...cells]) => [name!, cells.map((cell) => cell.replaceAll(',', ''))]),
    );
  }

  async function ends(peer: Peer, code: number): Promise<void> {
    const exit = await peer.exit;
    expect(exit.code, peer.describe('ended')).to.equal(code);
    expect(marked()).to.deep.equal([]);
  }

  it('digests files of every size, and leaves out links and special files', async () => {
    const sizes = [0, 1, 1000, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES];
    for (const size of sizes) writeFileSync(join(folder, `size-${size}`), Buffer.alloc(size, size));
    mkdirSync(join(folder, 'deep', 'er'), { recursive: true });
    writeFileSync(join(folder, 'deep', 'er', 'file'), 'x');
    // A name that is not UTF-8.
    writeFileSync(Buffer.concat([Buffer.from(`${folder}/bad-`), Buffer.of(0xff)]), 'y');
    symlinkSync('..', join(folder, 'deep', 'circle'));
    symlinkSync('nowhere', join(folder, 'dangling'));
    expect(spawnSync('mkfifo', [join(folder, 'pipe')]).status).to.equal(0);

    const peer = demo(folder);
    await ends(peer, 0);
    const bytes = sizes.reduce((sum, size) => sum + size, 2);
    // Full messages are followed by another one, so the boundary sizes need one more.
    const messages = sizes.reduce((sum, size) => sum + Math.floor(size / PART_BYTES) + 1, 2);
    for (const [name, cells] of rows(peer.stdout)) {
      const [count, total, , sent, mismatches] = cells;
      expect([count, total, sent, mismatches].map(Number), name).to.deep.equal([sizes.length + 2, bytes, messages, 0]);
    }
    expect(rows(peer.stdout).size).to.equal(2);
    expect(peer.stdout).to.match(/0 unreadable, 2 symbolic links and 1 special files left out\.\n$/);
    // Not a terminal: nothing is written over.
    for (const control of ['\r', ESCAPE]) expect(peer.stdout).not.to.include(control);
  });

  it('shows a line of progress on a terminal', async () => {
    const peer = demoInTerminal(files(200, 300_000));
    await ends(peer, 0);
    const shown = peer.stdout.replaceAll(ESCAPE, '<ESC>');
    expect(shown).to.match(/\r[\d,]+ files, [\d,]+ bytes, [\d.]+ MB\/s<ESC>\[K/);
    expect(shown).to.match(/\r<ESC>\[Kworker +files +bytes +MB\/s +messages +mismatches\r\n/);
  });

  it('reports and counts a file that cannot be read', async function () {
    const asRoot = process.getuid?.() === 0;
    if (asRoot && spawnSync('setpriv', ['--version']).status !== 0) return this.skip(); // Root reads everything.
    const target = files(3, 10);
    chmodSync(join(target, 'file-1'), 0);
    mkdirSync(join(target, 'locked'), { mode: 0 });
    const [command, ...args] = [...(asRoot ? HUMBLE : []), process.execPath, main, target];
    const env = { PYTHON: newestPython().path, [MARK]: mark };
    const peer = spawnPeer({ language: 'node', label: 'demo', command: command, args }, { env });
    await ends(peer, 0);
    expect(peer.stderr)
      .to.match(/file-1: EACCES\n/)
      .and.to.match(/locked: EACCES\n/);
    expect(peer.stdout).to.match(/^2 files, .* 2 unreadable/m);
    chmodSync(join(target, 'locked'), 0o700);
  });

  it('reports and counts a file that vanishes', async () => {
    const target = files(100, MIB);
    // The work in flight is bounded, so most of the files have not been opened when the worker gets its first message.
    const peer = demo(
      target,
      fakePython(`
import shutil, select
select.select([3], [], [])
shutil.rmtree(${JSON.stringify(target)})
runpy.run_path(sys.argv[1])`),
    );
    await ends(peer, 0);
    const [, read, unreadable] = /^(\d+) files, .* (\d+) unreadable/m.exec(peer.stdout) ?? [];
    expect(Number(read) + Number(unreadable)).to.equal(100);
    expect(Number(unreadable)).to.be.at.least(50);
    expect(peer.stderr.trimEnd().split('\n')).to.have.length(Number(unreadable));
    expect(peer.stderr).to.match(/^Cannot read .*file-\d+: ENOENT$/m);
  });

  it('ends with code 1 if a digest differs', async () => {
    const peer = demo(
      files(5, 10),
      fakePython(`
from multiprocessing.connection import Connection
send = Connection.send_bytes
Connection.send_bytes = lambda self, data: send(self, data[::-1])
runpy.run_path(sys.argv[1])`),
    );
    await ends(peer, 1);
    expect(peer.stderr.match(/MISMATCH: the python worker/g)).to.have.length(5);
    expect(rows(peer.stdout).get('python')?.at(-1)).to.equal('5');
    expect(rows(peer.stdout).get('node')?.at(-1)).to.equal('0');
  });

  for (const [how, body, text] of [
    ['at once', 'sys.exit(3)', 'ended with exit code 3'],
    ['inside a message', 'os.read(3, 100); os.abort()', 'was ended by SIGABRT'],
    ['after some messages', FOUR_MESSAGES, 'ended with exit code 4'],
  ] as const) {
    it(`ends with code 2 if a worker ends ${how}`, async () => {
      const peer = demo(endless(), fakePython(body));
      await ends(peer, 2);
      expect(peer.stderr).to.include(`The python worker ${text} before its work was done.`);
      // One line, not a stack.
      expect(peer.stderr).not.to.include('    at ');
    });
  }

  it('ends with code 2 if a worker closes its end and goes on', async () => {
    const peer = demo(endless(), fakePython('import time; os.close(3); time.sleep(600)'));
    await ends(peer, 2);
    expect(peer.stderr).to.match(
      /^The python worker broke off \(.*(EPIPE|ECONNRESET|closed).*\) before its work was done\.\n$/,
    );
  });

  it('ends with code 2 if Python is missing', async () => {
    const peer = demo(files(3, 10), { PYTHON: join(folder, 'no-such-python') });
    await ends(peer, 2);
    expect(peer.stderr).to.match(/^The python worker could not be started \(spawn .*no-such-python ENOENT\)\.\n$/);
  });

  it('ends with code 2 if the folder is missing or is none', async () => {
    const missing = demo(join(folder, 'missing'));
    await ends(missing, 2);
    expect(missing.stderr).to.match(/^Cannot read the folder .*missing: ENOENT\n$/);
    const file = demo(main);
    await ends(file, 2);
    expect(file.stderr).to.match(/main\.mjs: ENOTDIR\n$/);
  });

  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGKILL'] as const) {
    it(`leaves no child behind after ${signal}`, async () => {
      const peer = demo(endless());
      await peer.line();
      expect(marked().length).to.be.at.least(3);
      peer.kill(signal);
      expect(await peer.exit).to.deep.equal({ code: null, signal });
      await allGone();
    });
  }

  it('leaves no child behind after Ctrl-C', async () => {
    const peer = demoInTerminal(endless(), '\x03');
    // The terminal's program reports the signal as 100 + SIGINT.
    expect((await peer.exit).code, peer.describe('ended')).to.equal(102);
    await allGone();
    expect(peer.stdout).not.to.match(/Traceback|Error/);
  });

  it('leaves no child behind if nobody reads what it prints', async () => {
    const peer = demo(endless());
    await peer.line();
    peer.process.stdout?.destroy();
    expect((await peer.exit).code).to.equal(2);
    await allGone();
  });

  it('needs no more memory for a large file', async function () {
    if (process.env['NODE_MULTIPROCESSING_SANITIZER'] !== undefined) return this.skip(); // Memory means nothing then.
    const target = join(folder, 'large');
    mkdirSync(target);
    writeFileSync(join(target, 'zeros'), '');
    truncateSync(join(target, 'zeros'), 512 * MIB);
    const report = 'process.on("exit", () => console.error("maxRSS", process.resourceUsage().maxRSS))';
    const peer = demo(target, {}, ['--import', `data:text/javascript,${encodeURIComponent(report)}`]);
    await ends(peer, 0);
    // The Node worker inherits no options, so this is the main process.
    const kibibytes = Number(/^maxRSS (\d+)$/m.exec(peer.stderr)?.[1]);
    expect(kibibytes).to.be.within(1, 256 * 1024);
  });

  for (const language of ['node', 'python'] as const) {
    it(`the ${language} worker forgets a file that could not be read to its end`, async () => {
      const [ours, theirs] = Pipe();
      const peer = spawnPeer(workerProgram(language), { fds: [theirs] });
      const [MORE, LAST, DROP] = ['\x00', '\x01', '\x02'];
      for (const message of [`${MORE}forgotten`, DROP, `${MORE}kept`, `${LAST}!`, LAST]) {
        await ours.sendBytes(Buffer.from(message));
      }
      for (const text of ['kept!', '']) {
        expect(await ours.recvBytes()).to.deep.equal(createHash('sha256').update(text).digest());
      }
      ours.close();
      await peer.succeeded();
    });

    it(`the ${language} worker says in one line that its parent ended inside a message`, async () => {
      const [ours, theirs] = Pipe();
      const peer = spawnPeer(workerProgram(language), { fds: [theirs] });
      const cut = rejects(ours.sendBytes(Buffer.alloc(8 * MIB)), { code: 'ERR_MP_CLOSED' });
      ours.close({ discard: true });
      await cut;
      expect((await peer.exit).code).to.equal(1);
      expect(peer.stderr.trimEnd().split('\n')).to.have.length(1);
    });
  }
});
