// SPDX-License-Identifier: MIT
//
// Conversations about pickles with a Python that makes, reads and compares them.
import { expect } from 'chai';

import { makePair, type AnyConnection } from './channels.js';
import { pythonPeer, spawnPeer, type Peer, type PeerOptions } from './peers.js';
import type { Python } from './pythons.js';

/** A Python that answers requests, which block: a property test makes thousands of them. */
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

  /** What Python makes of a pickle, pickled again. */
  echo(pickle: Uint8Array, protocol = 4): Buffer {
    return this.#ask({ do: 'echo', protocol }, pickle);
  }

  /** A pickle without unused memo numbers. */
  optimize(pickle: Uint8Array): Buffer {
    return this.#ask({ do: 'optimize' }, pickle);
  }

  /** Asserts that a pickle holds what an expression gives, types included. */
  expectValue(pickle: Uint8Array, expression: string): void {
    const difference = String(this.#ask({ do: 'compare', expression }, pickle));
    expect(difference, `for ${expression}`).to.equal('');
  }

  /** Whether an expression has a value there. */
  knows(expression: string): boolean {
    try {
      this.dumps(`bool(${expression})`);
      return true;
    } catch {
      return false;
    }
  }

  /** Ends it, and asserts that it went well. */
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
