// SPDX-License-Identifier: MIT
//
// Connections under test, for every kind of pipe, every way of calling and every I/O method.
import { writeSync } from 'node:fs';

import { native } from '#lib/native/addon.js';
import { readSettings } from '#lib/native/settings.js';
import type { Connection } from 'node-multiprocessing';
import { Pipe, wait, type Bytes, type ConnectionOptions, type WaitOptions } from 'node-multiprocessing';

export const kinds = ['pipe', 'socketpair'] as const;
export type Kind = (typeof kinds)[number];

export const modes = ['async', 'sync'] as const;
export type Mode = (typeof modes)[number];

/** The I/O methods, none of which waits. Sockets have only MSG_DONTWAIT, which is reported as the first method. */
export const ioMethods = ['nowait', 'reopen', 'poll'] as const;
export type IoMethod = (typeof ioMethods)[number];

/** Any Connection, whatever it carries. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any
export type AnyConnection = Connection<any, any>;

const tracked = new Set<AnyConnection>();

/** Registers a Connection that is closed, without delay, when the test is over. */
export function track<T extends AnyConnection>(connection: T): T {
  tracked.add(connection);
  return connection;
}

/** Called after every test. */
export function closeTracked(): void {
  for (const connection of tracked) connection.close({ discard: true });
  tracked.clear();
}

/** The length of a message that does not fit into the kernel's buffers, which grow for large messages. */
export const TOO_LONG = 8 * 1024 * 1024;

/**
 * Makes a pair that is closed when the test is over: the two ends of a pipe, or a socketpair whose ends are both
 * duplex.
 */
export function makePair(kind: Kind, options?: ConnectionOptions): { reader: AnyConnection; writer: AnyConnection } {
  const [reader, writer] = (kind === 'pipe' ? Pipe(false, options) : Pipe(true, options)) as [
    AnyConnection,
    AnyConnection,
  ];
  return { reader: track(reader), writer: track(writer) };
}

/**
 * The ends of a conversation with a peer that holds `theirs`: one duplex Connection on each side for a socketpair, two
 * pipes otherwise. `theirs` have the order in which peers expect them from descriptor 3 on: first the end to read from,
 * then the end to write to.
 */
export function makeConversation(
  kind: Kind,
  options?: ConnectionOptions,
): { reader: AnyConnection; writer: AnyConnection; theirs: AnyConnection[] } {
  if (kind === 'socketpair') {
    const { reader, writer } = makePair(kind, options);
    return { reader, writer: reader, theirs: [writer] };
  }
  const down = makePair(kind, options);
  const up = makePair(kind, options);
  return { reader: up.reader, writer: down.writer, theirs: [down.reader, up.writer] };
}

/** Runs `fn`. Every channel made in it starts with this I/O method. */
export function withIoMethod<T>(ioMethod: IoMethod, fn: () => T): T {
  const { ioMethod: before, semaphoresInTurn } = readSettings();
  native.configure(ioMethods.indexOf(ioMethod), semaphoresInTurn);
  try {
    return fn();
  } finally {
    native.configure(before, semaphoresInTurn);
  }
}

/** The I/O method that a Connection's endpoint uses at this moment. */
export function ioMethodOf(connection: AnyConnection, direction: 'read' | 'write'): IoMethod {
  const { readMethod, writeMethod } = native.inspect(idOf(connection));
  return ioMethods[direction === 'read' ? readMethod : writeMethod] as IoMethod;
}

// No public member leads from a Connection to its endpoint, so the ids are noted where they are made.
const ids = new Set<number>();
const { makePair: makeNativePair, adopt } = native;
Object.assign(native, {
  makePair(...args: Parameters<typeof makeNativePair>) {
    const status = makeNativePair(...args);
    for (const id of args[1]) ids.add(id);
    return status;
  },
  adopt(...args: Parameters<typeof adopt>) {
    const id = adopt(...args);
    ids.add(id);
    return id;
  },
});

/** The native endpoint of an open Connection. */
export function idOf(connection: AnyConnection): number {
  const fd = connection.fileno();
  for (const id of ids) {
    const its = native.fileno(id);
    if (its === fd) return id;
    if (its < 0) ids.delete(id);
  }
  throw new Error(`No endpoint has descriptor ${fd}`);
}

/** Writes bytes to a Connection's descriptor as they are, without a header. The descriptor must have room for them. */
export function writeRaw(connection: AnyConnection, bytes: Uint8Array): void {
  const written = writeSync(connection.fileno(), bytes);
  if (written !== bytes.length) throw new Error(`Only ${written} of ${bytes.length} bytes were written`);
}

/** The header and bytes of one message as they travel. `long` chooses the form with 8 bytes for the length. */
export function frame(payload: Uint8Array | string, long = false): Buffer {
  const body = Buffer.from(payload);
  return Buffer.concat([header(body.length, long), body]);
}

/** The header of a message of `length` bytes. */
export function header(length: number | bigint, long = false): Buffer {
  if (!long) {
    const short = Buffer.alloc(4);
    short.writeInt32BE(Number(length));
    return short;
  }
  const bytes = Buffer.alloc(12, 0xff);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, BigInt(length)), 4);
  return bytes;
}

/** The numbers below a prime. Copies of this block never line up with a power of two. */
const BLOCK = Buffer.from(Array.from({ length: 251 }, (_, i) => i));

/**
 * `length` bytes in which any loss, repetition or move shows. Peers make the same bytes; `seed` tells messages apart.
 */
export function pattern(length: number, seed = 0): Buffer {
  const start = seed % BLOCK.length;
  return Buffer.alloc(length, Buffer.concat([BLOCK.subarray(start), BLOCK.subarray(0, start)]));
}

/**
 * The methods of a Connection that have two forms, as promises of either form. An error that a Sync form throws becomes
 * a rejection.
 */
export interface Calls {
  send(value: unknown, options?: WaitOptions): Promise<void>;
  sendBytes(buffer: Bytes, offset?: number, size?: number, options?: WaitOptions): Promise<void>;
  recv(options?: WaitOptions): Promise<unknown>;
  recvBytes(maxLength?: number, options?: WaitOptions): Promise<Buffer>;
  recvBytesInto(buffer: Bytes, offset?: number, options?: WaitOptions): Promise<number>;
  poll(timeout?: number | null): Promise<boolean>;
  sendHandle(fd: number, options?: WaitOptions): Promise<void>;
  recvHandle(options?: WaitOptions): Promise<number>;
}

/** Calls the methods of `connection` in the form that `mode` says. */
export function via(mode: Mode, connection: AnyConnection): Calls {
  const methods = connection as unknown as Record<string, (...args: unknown[]) => unknown>;
  const call =
    (name: string) =>
    async (...args: unknown[]): Promise<never> =>
      (await methods[mode === 'sync' ? `${name}Sync` : name]?.apply(connection, args)) as never;
  return {
    send: call('send'),
    sendBytes: call('sendBytes'),
    recv: call('recv'),
    recvBytes: call('recvBytes'),
    recvBytesInto: call('recvBytesInto'),
    poll: call('poll'),
    sendHandle: call('sendHandle'),
    recvHandle: call('recvHandle'),
  };
}

/** Uses up what may be done at once, so that the next operation waits for a turn of the event loop. */
export async function useUpTurn(): Promise<void> {
  const { reader } = makePair('pipe');
  const untilRefused = async (): Promise<number> => {
    for (let count = 0; ; count++) {
      let atOnce = false;
      void wait([reader], 0).then(() => (atOnce = true));
      for (let i = 0; i < 10; i++) await Promise.resolve();
      if (!atOnce) return count;
    }
  };
  // Each refusal begins a new share, and nothing of it is used yet.
  await untilRefused();
  const share = await untilRefused();
  for (let i = 0; i < share; i++) void wait([reader], 0);
}
