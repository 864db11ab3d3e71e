// SPDX-License-Identifier: MIT
//
// Child processes of tests. Every peer has a watchdog, and no peer outlives the test that started it.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import type { Connection } from 'node-multiprocessing';

import { foreignEnv, packageRoot } from './environment.js';
import type { Python } from './pythons.js';

/** A program that can be spawned as a peer. Made by `nodePeer`, `pythonPeer` and `cPeer`. */
export interface Program {
  readonly language: 'node' | 'python' | 'c';
  /** The row of the coverage table: `node`, `c` or `python3.N`. */
  readonly label: string;
  readonly command: string;
  readonly args: readonly string[];
}

/** A compiled test/peers/<name>.ts. `execArgv` are options for node itself. */
export function nodePeer(name: string, execArgv: readonly string[] = []): Program {
  const file = join(packageRoot, 'out', 'test', 'peers', `${name}.js`);
  return { language: 'node', label: 'node', command: process.execPath, args: [...execArgv, file] };
}

/** test/peers/<name>.py, run by `python`. */
export function pythonPeer(python: Python, name: string): Program {
  const file = join(packageRoot, 'test', 'peers', `${name}.py`);
  // Unbuffered, so that a test sees a line when it is printed.
  return { language: 'python', label: `python${python.version}`, command: python.path, args: ['-u', file] };
}

const compiled = new Map<string, string>();

/** test/peers/<name>.c, compiled once per run with the header of interop/c. */
export function cPeer(name: string): Program {
  const options = ['-std=c11', '-D_POSIX_C_SOURCE=200809L', '-pedantic', '-I', join(packageRoot, 'interop', 'c')];
  return { language: 'c', label: 'c', command: compile(name, `${name}-c`, options), args: [] };
}

/** The file of test/peers/<name>.c as a library for LD_PRELOAD, compiled once per run. */
export function cLibrary(name: string): string {
  return compile(name, `${name}.so`, ['-std=gnu17', '-D_GNU_SOURCE', '-shared', '-fPIC']);
}

function compile(name: string, target: string, options: readonly string[]): string {
  const known = compiled.get(target);
  if (known !== undefined) return known;
  const folder = join(packageRoot, 'out', 'test', 'peers');
  mkdirSync(folder, { recursive: true });
  const file = join(folder, target);
  const source = join(packageRoot, 'test', 'peers', `${name}.c`);
  const args = ['-O2', '-Wall', '-Wextra', '-Werror', '-pthread', ...options, '-o', file, source, '-ldl'];
  const { status, stderr, error } = spawnSync('cc', args, { encoding: 'utf8', env: foreignEnv() });
  if (status !== 0) throw new Error(`cc failed for ${name}.c: ${stderr ?? ''}${error?.message ?? ''}`);
  compiled.set(target, file);
  return file;
}

export interface PeerOptions {
  /**
   * What the peer inherits, from descriptor 3 on. The test's own Connections in the list are closed once the peer runs,
   * so that the peer alone holds its end, unless `keep` is set. Plain descriptor numbers are never closed.
   */
  readonly fds?: readonly (Connection<never, unknown> | number)[];
  readonly keep?: boolean;
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The working directory. Default: that of the tests. */
  readonly cwd?: string;
  /** After this many milliseconds the peer is killed and the test fails. Default 60000. */
  readonly watchdogMs?: number;
}

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A running peer. */
export class Peer {
  readonly process: ChildProcess;
  /**
   * Resolves when the process has ended and its output is complete. Rejects if the process could not start or the
   * watchdog killed it.
   */
  readonly exit: Promise<Exit>;
  readonly #label: string;
  #stdout = '';
  #stderr = '';
  #stdoutEnded = false;
  #onOutput: (() => void)[] = [];
  #taken = 0;
  failure: Error | undefined;
  ended = false;

  constructor(label: string, child: ChildProcess, watchdogMs: number) {
    this.#label = label;
    this.process = child;
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.#stdout += text;
      this.#wake();
    });
    child.stdout?.on('end', () => {
      this.#stdoutEnded = true;
      this.#wake();
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    // A peer that has ended cannot read any more. The test looks at its exit.
    child.stdin?.on('error', () => undefined);
    this.exit = new Promise((resolve, reject) => {
      const watchdog = setTimeout(() => {
        this.failure = new Error(this.describe(`was killed by the watchdog after ${watchdogMs} ms`));
        child.kill('SIGKILL');
      }, watchdogMs);
      child.on('error', (error) => {
        this.failure ??= error;
        if (child.pid === undefined) {
          clearTimeout(watchdog);
          this.ended = true;
          reject(error);
        }
      });
      child.on('close', (code, signal) => {
        clearTimeout(watchdog);
        this.ended = true;
        if (this.failure !== undefined) reject(this.failure);
        else resolve({ code, signal });
      });
    });
    // The hook after the test reports a failure that the test itself does not look at.
    this.exit.catch(() => undefined);
  }

  get pid(): number {
    return this.process.pid as number;
  }

  /** What the peer has printed so far. */
  get stdout(): string {
    return this.#stdout;
  }

  get stderr(): string {
    return this.#stderr;
  }

  /** The next line of standard output, without its end. Each line is returned once. Rejects if output ends first. */
  async line(): Promise<string> {
    for (;;) {
      const end = this.#stdout.indexOf('\n', this.#taken);
      if (end >= 0) {
        const line = this.#stdout.slice(this.#taken, end);
        this.#taken = end + 1;
        return line;
      }
      if (this.#stdoutEnded) throw new Error(this.describe('ended without another line'));
      await new Promise<void>((resolve) => this.#onOutput.push(resolve));
    }
  }

  /** Writes a line to the peer's standard input. */
  tell(line: string): void {
    this.process.stdin?.write(`${line}\n`);
  }

  /** Ends the peer's standard input. Resolves when the kernel knows it, so that a blocking call may follow. */
  async release(): Promise<void> {
    const { stdin } = this.process;
    if (stdin === null || stdin.destroyed) return;
    await new Promise<void>((resolve) => {
      stdin.once('close', resolve);
      stdin.end(resolve);
    });
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.process.kill(signal);
  }

  /** Waits for the end and asserts exit code 0. Returns standard output. */
  async succeeded(): Promise<string> {
    const { code, signal } = await this.exit;
    if (code !== 0) throw new Error(this.describe(`ended with code ${code}, signal ${signal}`));
    return this.#stdout;
  }

  /** A sentence about this peer, with its output. */
  describe(what: string): string {
    return `Peer ${this.#label} (${this.process.pid}) ${what}\nstdout: ${this.#stdout}\nstderr: ${this.#stderr}`;
  }

  #wake(): void {
    for (const resolve of this.#onOutput.splice(0)) resolve();
  }
}

const started = new Set<Peer>();

/** Starts a peer with piped standard streams and the listed descriptors from 3 on. */
export function spawnPeer(program: Program, options: PeerOptions = {}): Peer {
  const { fds = [], keep = false, args = [], env = {}, cwd, watchdogMs = 60_000 } = options;
  const numbers = fds.map((fd) => (typeof fd === 'number' ? fd : fd.fileno()));
  const child = spawn(program.command, [...program.args, ...args], {
    cwd,
    stdio: ['pipe', 'pipe', 'pipe', ...numbers],
    env: { ...(program.language === 'node' ? process.env : foreignEnv()), ...env },
  });
  if (!keep) {
    for (const fd of fds) {
      if (typeof fd !== 'number') fd.close();
    }
  }
  const peer = new Peer(`${program.label} ${[...program.args.slice(-1), ...args].join(' ')}`, child, watchdogMs);
  started.add(peer);
  return peer;
}

/** Kills all peers that still run, and waits for their ends. Returns the failures of those whose watchdog fired. */
export async function endPeers(): Promise<Error[]> {
  const peers = [...started];
  started.clear();
  for (const peer of peers) {
    if (!peer.ended) peer.kill();
    void peer.release();
  }
  await Promise.allSettled(peers.map((peer) => peer.exit));
  return peers.map((peer) => peer.failure).filter((failure) => failure !== undefined);
}
