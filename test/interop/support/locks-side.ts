// SPDX-License-Identifier: MIT
//
// The processes that share locks in a test: this process, Node processes and Python processes. All get their commands
// in the same way.
import type { Descriptor } from 'node-multiprocessing';

import { edgePythons, nodePeer, pythonPeer, pythons, spawnPeer } from '../../helpers/index.js';
import type { Mode, Peer, Program, Python } from '../../helpers/index.js';
import { Workshop, type Kind } from './locks-commands.js';

/** A process that has objects by name and runs commands on them. locks-commands.ts has the commands. */
export interface Side {
  /** Whether the process uses blocking methods on its only thread, so that it can do one thing at a time. */
  readonly blocks: boolean;
  /** The codes for a release too many, and for a release by a side that is not the owner. */
  readonly errors: { readonly tooOften: string; readonly notOwner: string };
  make(name: string, kind: Kind, ...args: unknown[]): Promise<Descriptor>;
  open(name: string, descriptor: Descriptor): Promise<unknown>;
  /** A string among the arguments names an object. For Python, an error's `code` is the name of the exception. */
  run(target: string, ...args: unknown[]): Promise<unknown>;
}

const NODE_ERRORS = { tooOften: 'ERR_MP_RELEASED_TOO_OFTEN', notOwner: 'ERR_MP_NOT_OWNER' };
const PYTHON_ERRORS = { tooOften: 'ValueError', notOwner: 'AssertionError' };

/** Another process, which runs locks-peer.ts or locks_peer.py. */
export class ProcessSide implements Side {
  readonly blocks: boolean;
  readonly errors: Side['errors'];
  readonly peer: Peer;
  /** Resolves when the kernel has every command, so that a blocking call may follow. */
  sent: Promise<unknown> = Promise.resolve();
  readonly #pending = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  #last = 0;

  /** @param fds What the process inherits, from descriptor 3 on. */
  constructor(program: Program, mode: Mode, fds: readonly number[] = []) {
    const isNode = program.language === 'node';
    this.blocks = isNode && mode === 'sync';
    this.errors = isNode ? NODE_ERRORS : PYTHON_ERRORS;
    this.peer = spawnPeer(program, { args: [mode], fds });
    void this.#listen();
  }

  make(...args: [string, Kind, ...unknown[]]): Promise<Descriptor> {
    return this.run('make', ...args) as Promise<Descriptor>;
  }

  open(...args: [string, Descriptor]): Promise<unknown> {
    return this.run('open', ...args);
  }

  run(target: string, ...args: unknown[]): Promise<unknown> {
    const id = ++this.#last;
    const result = new Promise((resolve, reject) => this.#pending.set(id, { resolve, reject }));
    // The test may fail before it looks at the result.
    result.catch(() => undefined);
    const line = `${JSON.stringify({ id, do: target, args })}\n`;
    this.sent = new Promise((resolve) => this.peer.process.stdin?.write(line, resolve));
    return result;
  }

  async #listen(): Promise<void> {
    try {
      for (;;) {
        const { id, result, error, message } = JSON.parse(await this.peer.line());
        if (error === undefined) this.#pending.get(id)?.resolve(result);
        else this.#pending.get(id)?.reject(Object.assign(new Error(this.peer.describe(message)), { code: error }));
        this.#pending.delete(id);
      }
    } catch (error) {
      for (const { reject } of this.#pending.values()) reject(error as Error);
    }
  }
}

/** This process. */
export class HereSide implements Side {
  readonly blocks: boolean;
  readonly errors = NODE_ERRORS;
  readonly workshop: Workshop;
  readonly #beforeBlocking: () => Promise<unknown>;

  constructor(mode: Mode, beforeBlocking: () => Promise<unknown>) {
    this.blocks = mode === 'sync';
    this.workshop = new Workshop(mode);
    this.#beforeBlocking = beforeBlocking;
  }

  make(name: string, kind: Kind, ...args: unknown[]): Promise<Descriptor> {
    return Promise.resolve(this.workshop.make(name, kind, ...args));
  }

  open(name: string, descriptor: Descriptor): Promise<unknown> {
    this.workshop.open(name, descriptor);
    return Promise.resolve(undefined);
  }

  async run(target: string, ...args: unknown[]): Promise<unknown> {
    if (this.blocks) await this.#beforeBlocking();
    return this.workshop.run(target, ...args);
  }
}

/** The language of a process. */
export interface Language {
  readonly label: string;
  program(): Program;
}

export const node: Language = { label: 'node', program: () => nodePeer('locks-peer') };

function python(interpreter: Python): Language {
  return { label: `python${interpreter.version}`, program: () => pythonPeer(interpreter, 'locks_peer') };
}

/** Node, the oldest and the newest Python. */
export function someLanguages(): Language[] {
  return [node, ...edgePythons().map(python)];
}

/** Node and every Python. */
export function allLanguages(): Language[] {
  return [node, ...pythons().map(python)];
}
