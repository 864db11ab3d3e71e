// SPDX-License-Identifier: MIT
//
// Messages that are decoded when the descriptors for their tickets have been collected.
import { closeSync, fstatSync, openSync } from 'node:fs';

import { expect } from 'chai';

import { DecodeContext, DeferredMessage, type DescriptorTicket } from '#lib/connection/ticketed-message.js';
import { TimeoutError } from '#lib/core/errors.js';
import type { Codec } from '#lib/serialization/codec.js';
import { throws } from '../helpers/index.js';

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
}

/** A ticket that records the calls that collect it. */
class Ticket implements DescriptorTicket {
  readonly fd = openSync('/dev/null', 'r');
  readonly calls: string[] = [];
  fails: Error | undefined;

  collect(): Promise<number> {
    this.calls.push('collect');
    return this.fails === undefined ? Promise.resolve(this.fd) : Promise.reject(this.fails);
  }

  collectSync(): number {
    this.calls.push('collectSync');
    if (this.fails !== undefined) throw this.fails;
    return this.fd;
  }
}

const none = (): never => {
  throw new Error('no descriptor comes over the stream');
};

/** The value of every message is the descriptors of these tickets. */
function codecOf(tickets: readonly Ticket[], count = tickets.length): Codec {
  const decode = (context: unknown): unknown => {
    if (!(context instanceof DecodeContext)) throw new Error('there is no context');
    return tickets.slice(0, count).map((ticket) => context.claim(ticket));
  };
  return {
    encode: none,
    fromBorrowed: none,
    fromOwned: (_message, context) => decode(context),
  };
}

function collected(message: DeferredMessage): Promise<void> {
  return new Promise((resolve) => expect(message.advance(none, resolve)).to.equal(false));
}

describe('a message whose descriptors are collected', () => {
  it('collects each of them once, also if a blocking receive ended in between', async () => {
    const tickets = [new Ticket(), new Ticket(), new Ticket()];
    const message = new DeferredMessage(tickets, codecOf(tickets), Buffer.alloc(0));
    tickets[1]!.fails = new TimeoutError('recvSync');
    throws(() => message.advanceSync(none, 'recvSync', 0), { code: 'ERR_MP_TIMEOUT' });
    tickets[1]!.fails = undefined;
    const done = collected(message);
    throws(() => message.advanceSync(none, 'recvSync', 0), { code: 'ERR_MP_BUSY' });
    await done;
    message.advanceSync(none, 'recvSync', 0);
    expect(message.open()).to.deep.equal(tickets.map(({ fd }) => fd));
    expect(tickets.map(({ calls }) => calls)).to.deep.equal([['collectSync'], ['collectSync', 'collect'], ['collect']]);
    for (const { fd } of tickets) closeSync(fd);
  });

  it('closes what it has collected if one of them cannot be collected', async () => {
    for (const mode of ['async', 'sync'] as const) {
      const tickets = [new Ticket(), new Ticket(), new Ticket()];
      const message = new DeferredMessage(tickets, codecOf(tickets), Buffer.alloc(0));
      tickets[1]!.fails = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
      if (mode === 'async') await collected(message);
      else message.advanceSync(none, 'recvSync', Infinity);
      expect(message.complete).to.equal(true);
      message.advanceSync(none, 'recvSync', Infinity);
      throws(() => message.open(), { code: 'ECONNREFUSED' });
      expect(tickets[2]!.calls).to.deep.equal([]);
      expect(isOpen(tickets[0]!.fd)).to.equal(false);
      for (const { fd } of tickets.slice(1)) closeSync(fd);
    }
  });

  it('closes what the value does not use, and what has come when it is dropped', async () => {
    const tickets = [new Ticket(), new Ticket()];
    const unused = new DeferredMessage(tickets, codecOf(tickets, 1), Buffer.alloc(0));
    await collected(unused);
    expect(unused.open()).to.deep.equal([tickets[0]!.fd]);
    expect(tickets.map(({ fd }) => isOpen(fd))).to.deep.equal([true, false]);
    const dropped = [new Ticket(), new Ticket()];
    const message = new DeferredMessage(dropped, codecOf(dropped), Buffer.alloc(0));
    const done = collected(message);
    message.drop();
    await done;
    expect(dropped.map(({ calls }) => calls)).to.deep.equal([['collect'], []]);
    expect(isOpen(dropped[0]!.fd)).to.equal(false);
    closeSync(tickets[0]!.fd);
    closeSync(dropped[1]!.fd);
  });

  it('undoes what was made of the descriptors if the rest cannot be decoded', async () => {
    const tickets = [new Ticket()];
    const undone: string[] = [];
    const codec: Codec = {
      ...codecOf(tickets),
      fromOwned(_message, context) {
        (context as DecodeContext).onFailure(() => undone.push('closed'));
        throw Object.assign(new Error('the rest'), { code: 'ERR_MP_UNPICKLING' });
      },
    };
    const message = new DeferredMessage(tickets, codec, Buffer.alloc(0));
    await collected(message);
    throws(() => message.open(), { code: 'ERR_MP_UNPICKLING' });
    expect(undone).to.deep.equal(['closed']);
    expect(isOpen(tickets[0]!.fd)).to.equal(false);
  });
});
