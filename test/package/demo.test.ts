// SPDX-License-Identifier: MIT
//
// The demo as its users run it: `npm run demo -- folder`.
import { spawnSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
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

import { newestPython, packageRoot, spawnPeer, type Peer, type Program } from '../helpers/index.js';

const main = join(packageRoot, 'examples', 'digest', 'main.mjs');
const MIB = 1024 * 1024;

/** The longest piece of a file that the demo puts on its queue. */
const PIECE_BYTES = MIB;

/**
 * Marks the processes of one run in their environments. They can be found by it, whatever process is their parent by
 * now.
 */
const MARK = 'NODE_TEST_DEMO_MARK';

const ESCAPE = '\x1b';

/** Takes root's power to read everything, and nothing else, from the program that follows. */
const HUMBLE = ['setpriv', '--bounding-set', '-dac_override,-dac_read_search'];

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

  /** Runs the demo in a terminal of its own. Once it has printed something, `control` is typed. */
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

  /** Stands for the interpreter: runs `body` and then its real work, if it still can. */
  function fakePython(body: string): Record<string, string> {
    const file = join(folder, '..', `fake-python-${mark}`);
    const rest = 'code = sys.argv[2]\nsys.argv = ["-c", *sys.argv[3:]]\nexec(code)';
    writeFileSync(file, `#!${newestPython().path}\nimport hashlib, os, sys\n${body}\n${rest}\n`, { mode: 0o755 });
    return { PYTHON: file };
  }

  /** Makes the Python worker run something when it gets its first piece. Another worker may take all pieces before. */
  function onFirstPiece(body: string): Record<string, string> {
    return fakePython(`
digest = hashlib.sha256
def first(data):
    ${body}
    return digest(data)
hashlib.sha256 = first`);
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
    // A process that a signal has ended leaves the semaphores of its queues to the next process, or to this program.
    const { status, stderr } = spawnSync(process.execPath, [join(packageRoot, 'dist', 'cli', 'main.js'), 'sweep']);
    expect(status, stderr.toString()).to.equal(0);
  }

  /** The rows of the closing table, by worker. */
  function rows(stdout: string): Map<string, string[]> {
    return new Map(
      stdout
        .split('\n')
        .map((line) => line.trim().split(/\s+/))
        .filter(([name]) => /^(node-\d|python)$/.test(name ?? ''))
        .map(([name, ...cells]) => [name!, cells.map((cell) => cell.replaceAll(',', ''))]),
    );
  }

  async function ends(peer: Peer, code: number): Promise<void> {
    const exit = await peer.exit;
    expect(exit.code, peer.describe('ended')).to.equal(code);
    expect(marked()).to.deep.equal([]);
  }

  it('digests files of every size, and leaves out links and special files', async () => {
    const sizes = [0, 1, 1000, PIECE_BYTES - 1, PIECE_BYTES, PIECE_BYTES + 1, 3 * PIECE_BYTES];
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
    // A full piece is followed by another piece, so files of exactly these sizes need one piece more.
    const messages = sizes.reduce((sum, size) => sum + Math.floor(size / PIECE_BYTES) + 1, 2);
    const found = rows(peer.stdout);
    expect([...found.keys()]).to.include.members(['node-1', 'node-2', 'python']);
    const sum = (column: number): number =>
      [...found.values()].reduce((total, cells) => total + Number(cells[column]), 0);
    expect([0, 1, 3, 4].map(sum)).to.deep.equal([sizes.length + 2, bytes, messages, 0]);
    expect(peer.stdout).to.match(/0 unreadable, 2 symbolic links and 1 special files left out\.\n$/);
    // The output is no terminal, so nothing is written over.
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
    const removing = `
      import fs, { promises } from 'node:fs';
      const { open } = promises;
      let opened = 0;
      promises.open = (...args) => {
        if (++opened === 20) fs.rmSync(${JSON.stringify(target)}, { recursive: true });
        return open(...args);
      };`;
    const peer = demo(target, {}, ['--import', `data:text/javascript,${encodeURIComponent(removing)}`]);
    await ends(peer, 0);
    const [, read, unreadable] = /^(\d+) files, .* (\d+) unreadable/m.exec(peer.stdout) ?? [];
    expect(Number(read) + Number(unreadable)).to.equal(100);
    expect(Number(unreadable)).to.be.at.least(81);
    expect(peer.stderr.trimEnd().split('\n')).to.have.length(Number(unreadable));
    expect(peer.stderr).to.match(/^Cannot read .*file-\d+: ENOENT$/m);
  });

  it('ends with code 1 if a digest differs', async () => {
    const peer = demo(files(200, 10), onFirstPiece("data = b'something else'"));
    await ends(peer, 1);
    const mismatches = Number(rows(peer.stdout).get('python')?.at(-1));
    expect(mismatches).to.be.at.least(1);
    expect(peer.stderr.match(/MISMATCH: the python worker/g)).to.have.length(mismatches);
    for (const name of ['node-1', 'node-2']) expect(rows(peer.stdout).get(name)?.at(-1)).to.equal('0');
  });

  it('ends with code 2 if a worker cannot begin', async () => {
    const peer = demo(endless(), fakePython('sys.exit(3)'));
    await ends(peer, 2);
    expect(peer.stderr).to.match(/^The python worker ended with exit code 3 before its work was done.*\n$/);
  });

  for (const [how, body, text] of [
    ['ends', 'os._exit(4)', 'ended with exit code 4'],
    ['is killed', 'os.kill(os.getpid(), 9)', 'was ended by signal 9'],
    ['fails', "raise OSError('no more')", 'ended with exit code 1'],
  ] as const) {
    it(`ends with code 2 if a worker ${how} in the middle of its work`, async () => {
      const peer = demo(endless(), onFirstPiece(body));
      await ends(peer, 2);
      expect(peer.stderr).to.include(`The python worker ${text} before its work was done`);
      // One line instead of a stack of the demo.
      expect(peer.stderr).not.to.include('    at ');
    });
  }

  it('ends with code 2 if Python is missing', async () => {
    const peer = demo(files(3, 10), { PYTHON: join(folder, 'no-such-python') });
    await ends(peer, 2);
    expect(peer.stderr).to.match(/^The python worker could not be started: .*no-such-python.*\n$/);
  });

  it('ends with code 2 if the folder is missing or is no folder', async () => {
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
      expect(marked().length).to.be.at.least(4);
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

  it('leaves no child behind if its output has no reader', async () => {
    const peer = demo(endless());
    await peer.line();
    peer.process.stdout?.destroy();
    expect((await peer.exit).code).to.equal(2);
    await allGone();
  });

  it('needs no more memory for a large file', async function () {
    // With a sanitizer the memory says nothing.
    if (process.env['NODE_MULTIPROCESSING_SANITIZER'] !== undefined) return this.skip();
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
});
