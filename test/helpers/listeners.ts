// SPDX-License-Identifier: MIT
//
// Listeners under test, and peers that connect to one or listen themselves.
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';
import {
  Client,
  ClientSync,
  Listener,
  type ClientOptions,
  type ListenerOptions,
  type SocketAddress,
  type WaitOptions,
} from 'node-multiprocessing';

import { track, type AnyConnection, type Mode } from './channels.js';
import type { Peer } from './peers.js';

export const families = ['unix', 'abstract', 'tcp'] as const;
export type Family = (typeof families)[number];

/** Any Listener, whatever its connections carry. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyListener = Listener<any, any>;

const open = new Set<AnyListener>();

/** Registers a Listener that is closed when the test is over. For use below `ownTmpdir`. */
export function trackListener<T extends AnyListener>(listener: T): T {
  open.add(listener);
  return listener;
}

let count = 0;

/** The options of a Listener of a family, with an address that is free. */
export function optionsFor(family: Family): ListenerOptions {
  if (family === 'tcp') return { family: 'AF_INET' };
  return family === 'unix' ? {} : { address: `\0mp-test-${process.pid}-${count++}` };
}

/** A Listener that is closed when the test is over. */
export function listen(family: Family, options: ListenerOptions = {}): AnyListener {
  return trackListener(new Listener({ ...optionsFor(family), ...options }) as AnyListener);
}

/** `accept` in the form that `mode` says, as a promise. The Connection is closed when the test is over. */
export async function acceptVia(mode: Mode, listener: AnyListener, options?: WaitOptions): Promise<AnyConnection> {
  return track(mode === 'sync' ? listener.acceptSync(options) : await listener.accept(options));
}

/** `Client` in the form that `mode` says, as a promise. The Connection is closed when the test is over. */
export async function connectVia(mode: Mode, address: SocketAddress, options?: ClientOptions): Promise<AnyConnection> {
  const connection = mode === 'sync' ? ClientSync(address, options) : await Client(address, options);
  return track(connection as AnyConnection);
}

/** Both ends of a new connection through a Listener without a key. */
export async function connectedPair(
  listener: AnyListener,
): Promise<{ accepted: AnyConnection; connected: AnyConnection }> {
  const accepted = acceptVia('async', listener);
  const connected = await connectVia('async', listener.address);
  return { accepted: await accepted, connected };
}

/** An address as programs print it, which may hold a zero byte. */
export async function addressFrom(peer: Peer): Promise<SocketAddress> {
  return JSON.parse(await peer.line()) as SocketAddress;
}

/**
 * Called inside a describe. The process gets a folder of its own for temporary files. After each test the tracked
 * Listeners are closed, and the folder must be empty, but for the code that children keep.
 */
export function ownTmpdir(): () => string {
  const before = process.env['TMPDIR'];
  let folder = '';
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'mp-test-'));
    process.env['TMPDIR'] = folder;
  });
  afterEach(() => {
    for (const listener of open) listener.close();
    open.clear();
    if (before === undefined) delete process.env['TMPDIR'];
    else process.env['TMPDIR'] = before;
    const left = readdirSync(folder).filter((name) => !name.startsWith('node-multiprocessing-'));
    rmSync(folder, { recursive: true });
    expect(left, 'files that are left').to.deep.equal([]);
  });
  return () => folder;
}
