// SPDX-License-Identifier: MIT
//
// Every call that can wait, by name, for tests that interrupt all of them in some way.
import { makePair, TOO_LONG, type AnyConnection, type Kind } from '../../helpers/channels.js';
import { wait, waitSync } from 'node-multiprocessing';

export interface Call {
  readonly name: string;
  /** Whether the call waits for room; otherwise it waits for data. */
  readonly sends: boolean;
  /** Whether the call needs a socketpair. */
  readonly handles: boolean;
  /** Starts the call, which then waits. A Sync call returns when it is over. */
  start(connection: AnyConnection): unknown;
}

/** More than any pipe or socket holds. */
export const big = Buffer.alloc(TOO_LONG, 7);

/** A handle leaves only after what was sent before it, so a full pipe makes it wait. */
function fill(connection: AnyConnection): void {
  connection.sendBytes(big).catch(() => undefined);
}

function receiving(name: string, start: Call['start'], handles = false): Call {
  return { name, sends: false, handles, start };
}

function sending(name: string, start: Call['start'], handles = false): Call {
  return { name, sends: true, handles, start };
}

export const asyncCalls: readonly Call[] = [
  receiving('recv', (c) => c.recv()),
  receiving('recvBytes', (c) => c.recvBytes()),
  receiving('recvBytesInto', (c) => c.recvBytesInto(Buffer.alloc(10))),
  receiving('recvHandle', (c) => c.recvHandle(), true),
  receiving('poll', (c) => c.poll(null)),
  receiving('wait', (c) => wait([c])),
  receiving('iterate', (c) => c[Symbol.asyncIterator]().next()),
  sending('send', (c) => c.send(big)),
  sending('sendBytes', (c) => c.sendBytes(big)),
  sending(
    'sendHandle',
    (c) => {
      fill(c);
      return c.sendHandle(0);
    },
    true,
  ),
];

export const syncCalls: readonly Call[] = [
  receiving('recvSync', (c) => c.recvSync()),
  receiving('recvBytesSync', (c) => c.recvBytesSync()),
  receiving('recvBytesIntoSync', (c) => c.recvBytesIntoSync(Buffer.alloc(10))),
  receiving('recvHandleSync', (c) => c.recvHandleSync(), true),
  receiving('pollSync', (c) => c.pollSync(null)),
  receiving('waitSync', (c) => waitSync([c])),
  sending('sendSync', (c) => {
    c.sendSync(big);
  }),
  sending('sendBytesSync', (c) => {
    c.sendBytesSync(big);
  }),
  sending(
    'sendHandleSync',
    (c) => {
      fill(c);
      c.sendHandleSync(0);
    },
    true,
  ),
];

/** The calls that are possible on this kind of pipe. */
export function possible(calls: readonly Call[], kind: Kind): readonly Call[] {
  return calls.filter((call) => kind === 'socketpair' || !call.handles);
}

export function callNamed(name: string): Call {
  const call = [...asyncCalls, ...syncCalls].find((candidate) => candidate.name === name);
  if (call === undefined) throw new Error(`There is no call ${name}`);
  return call;
}

/** Makes a pair for the call: `near` is the Connection of the call, `far` is the other end. */
export function endsFor(call: Call, kind: Kind): { near: AnyConnection; far: AnyConnection } {
  const { reader, writer } = makePair(kind, { exitFlushMs: 100 });
  return call.sends ? { near: writer, far: reader } : { near: reader, far: writer };
}
