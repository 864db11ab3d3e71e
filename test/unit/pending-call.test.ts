// SPDX-License-Identifier: MIT
//
// The promise of a call that waits, with all that ends with it.
import { expect } from 'chai';

import { PendingCall } from '#lib/event-loop/pending-call.js';
import { rejects, turns } from '../helpers/index.js';

/** Notes what a call does, in order. */
class Notes {
  readonly on = true;
  readonly all: string[] = [];

  begin(): void {
    this.all.push('begin');
  }

  end(): void {
    this.all.push('end');
  }
}

const early = (): Error => Object.assign(new Error('early'), { code: 'EARLY' });

describe('PendingCall', () => {
  it('ends once: whatever comes later has no effect', async () => {
    const notes = new Notes();
    const call = new PendingCall<string>(notes);
    call.onEnd = () => notes.all.push('undo');
    call.resolve('first');
    call.resolve('second');
    call.reject(early());
    expect(await call.promise).to.equal('first');
    expect(notes.all).to.deep.equal(['begin', 'undo', 'end']);
  });

  it('rejects with what a step throws', async () => {
    const notes = new Notes();
    const call = new PendingCall<string>(notes);
    call.onEnd = () => notes.all.push('undo');
    call.attempt(() => {
      throw early();
    });
    await rejects(call.promise, { code: 'EARLY' });
    expect(notes.all).to.deep.equal(['begin', 'undo', 'end']);
  });

  it('rejects with the error of its time limit', async () => {
    const call = new PendingCall<string>(new Notes());
    call.limit({ timeout: 1, signal: undefined }, early);
    await rejects(call.promise, { code: 'EARLY' });
  });

  it('may settle in another way when its time is up', async () => {
    const call = new PendingCall<string>(new Notes());
    call.limit({ timeout: 1, signal: undefined }, early, () => call.resolve('in time after all'));
    expect(await call.promise).to.equal('in time after all');
  });

  it('is not ended by a limit once it has ended', async () => {
    const call = new PendingCall<string>(new Notes());
    const abort = new AbortController();
    let ended = 0;
    const limits = { timeout: 1, signal: abort.signal };
    call.limit(limits, early, () => ended++);
    call.resolve('done');
    call.limit(limits, early, () => ended++);
    abort.abort();
    // A timer of the call would have fired before this one, and would have ended the call in the turn after that.
    await new Promise((resolve) => setTimeout(resolve, 2));
    await turns(2);
    expect(ended).to.equal(0);
    expect(await call.promise).to.equal('done');
  });
});
