// SPDX-License-Identifier: MIT
//
// Conversations about pickles with a Python process that makes, reads and compares them.
import { spawnSync } from 'node:child_process';

import { expect } from 'chai';

import { makePair, type AnyConnection } from './channels.js';
import { foreignEnv } from './environment.js';
import { pythonPeer, spawnPeer, type Peer, type PeerOptions } from './peers.js';
import { pythons, type Python } from './pythons.js';

/** A Python process that answers requests. A request blocks, because a property test makes thousands of them. */
export class PickleMaker {
  readonly peer: Peer;
  readonly #connection: AnyConnection;

  constructor(python: Python, options: PeerOptions = {}) {
    const { reader, writer } = makePair('socketpair');
    this.peer = spawnPeer(pythonPeer(python, 'pickles'), { ...options, fds: [writer] });
    this.#connection = reader;
  }

  /** The pickle of a Python expression. */
  dumps(expression: string, protocol = 4, slow = false): Buffer {
    return this.#ask({ do: 'dumps', expression, protocol, slow });
  }

  /** Decodes a pickle in Python and pickles the value again. */
  echo(pickle: Uint8Array, protocol = 4): Buffer {
    return this.#ask({ do: 'echo', protocol }, pickle);
  }

  /** Removes unused memo numbers from a pickle. */
  optimize(pickle: Uint8Array): Buffer {
    return this.#ask({ do: 'optimize' }, pickle);
  }

  /** Asserts that a pickle holds the value of an expression, with the same types. */
  expectValue(pickle: Uint8Array, expression: string): void {
    const difference = String(this.#ask({ do: 'compare', expression }, pickle));
    expect(difference, `for ${expression}`).to.equal('');
  }

  /** Whether an expression about `value` gives the same for the value of a pickle and for that of an expression. */
  same(pickle: Uint8Array, expression: string, view: string): boolean {
    return String(this.#ask({ do: 'alike', expression, view }, pickle)) === 'True';
  }

  /** What Python shows for an expression about the `value` of a pickle. */
  view(pickle: Uint8Array, view: string): string {
    return String(this.#ask({ do: 'view', view }, pickle));
  }

  /** Whether Python can import a module. */
  knows(module: string): boolean {
    try {
      this.dumps(`${module}.__name__`);
      return true;
    } catch {
      return false;
    }
  }

  /** Ends the process, and asserts that it ended well. */
  async end(): Promise<void> {
    this.#connection.close();
    await this.peer.succeeded();
  }

  #ask(request: object, ...pickles: Uint8Array[]): Buffer {
    this.#connection.sendBytesSync(Buffer.from(JSON.stringify(request)));
    for (const pickle of pickles) this.#connection.sendBytesSync(pickle);
    const failure = this.#connection.recvBytesSync(undefined, { timeout: 60_000 });
    const answer = this.#connection.recvBytesSync(undefined, { timeout: 60_000 });
    if (failure.length > 0) throw new Error(`Python says: ${String(failure)}`);
    return answer;
  }
}

export interface NumpyPython extends Python {
  /** The version of numpy. */
  readonly numpy: string;
}

let withNumpy: readonly NumpyPython[] | undefined;

/** The Pythons that have numpy, the system's Python among them: one for each version of numpy. */
export function numpyPythons(): readonly NumpyPython[] {
  if (withNumpy !== undefined) return withNumpy;
  const found = new Map<string, NumpyPython>();
  for (const python of [...pythons(), { version: 'system', path: '/usr/bin/python3' }]) {
    const program = 'import numpy, sys; print(numpy.__version__, "%d.%d" % sys.version_info[:2])';
    const { status, stdout } = spawnSync(python.path, ['-c', program], { encoding: 'utf8', env: foreignEnv() });
    if (status !== 0) continue;
    const [numpy, version] = stdout.trim().split(' ') as [string, string];
    if (!found.has(numpy)) found.set(numpy, { numpy, version, path: python.path });
  }
  withNumpy = [...found.values()];
  if (withNumpy.length === 0) console.log('No Python here has numpy, so the tests that need it do not run');
  return withNumpy;
}
