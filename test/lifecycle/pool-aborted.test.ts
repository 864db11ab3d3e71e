// SPDX-License-Identifier: MIT
//
// As aborted-calls.test.ts, for the calls of pools. While their task waits for a worker; pool-calls.test.ts has those that run.
import { expect } from 'chai';

import { allEndWhenAborted, type Cases, type Scene } from '../helpers/aborted-calls.js';
import { abortableCalls } from '../helpers/declarations.js';
import { rejects, turns } from '../helpers/index.js';
import { endPools, kinds, nodeKind, type AnyPool, type Kind } from './support/pools.js';

/** Calls of a pool whose only worker is busy with a generator that waits for its consumer. */
function casesOf(kind: Kind, pool: AnyPool): Cases {
  const scene = (args: (signal: AbortSignal) => readonly unknown[]) => async (): Promise<Scene> => {
    const busy = pool.stream([9, 1], { target: kind.target('blocks'), buffersize: 1 });
    await busy.next();
    return {
      on: pool,
      args,
      limit: 'queueTimeout',
      supply: () => busy.return(),
      next: async () => expect(await pool.apply([7])).to.equal(7),
      close: () => busy.return(),
    };
  };
  return {
    apply: scene((signal) => [[1], { signal }]),
    map: scene((signal) => [[1, 2], { signal }]),
    starmap: scene((signal) => [[[1], [2]], { signal }]),
    imap: scene((signal) => [[1, 2], { signal }]),
    imapUnordered: scene((signal) => [[1, 2], { signal }]),
    stream: scene((signal) => [[2, 1], { signal, target: kind.target('blocks') }]),
  };
}

/** An input whose next item never comes. */
class Waiting implements AsyncIterableIterator<number> {
  returned = false;

  next(): Promise<IteratorResult<number>> {
    return new Promise(() => undefined);
  }

  return(): Promise<IteratorResult<number>> {
    this.returned = true;
    return Promise.resolve({ done: true, value: undefined });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}

describe('A call of a pool that takes a signal ends when the signal aborts', () => {
  afterEach(endPools);

  for (const kind of kinds) {
    it(kind.name, async () => {
      const pool = kind.make('echo', { processes: 1 });
      const cases = casesOf(kind, pool);
      const methods = abortableCalls('index').map((name) => /^(?:Base|Python)Pool\.(\w+)$/.exec(name)?.[1] ?? '');
      expect(Object.keys(cases)).to.have.members([...new Set(methods.filter(Boolean))]);
      await allEndWhenAborted(cases);
      expect(pool.stats()).to.include({ queued: 0, running: 0 });
    });
  }

  // Regression: the signal reached the tasks only, and these calls waited for their input.
  for (const name of ['map', 'starmap', 'imap', 'imapUnordered'] as const) {
    it(`${name}() whose input waits, which is closed`, async () => {
      const pool = nodeKind.make('echo', { minProcesses: 0 });
      const controller = new AbortController();
      const input = new Waiting();
      const result = pool[name](input as never, { signal: controller.signal });
      const failure = rejects(result instanceof Promise ? result : result.next(), { code: 'ABORT_ERR' });
      await turns();
      controller.abort();
      await failure;
      expect(input.returned).to.equal(true);
    });
  }

  // Regression: return() waited for the input.
  it('imap() whose input waits ends with return() at once', async () => {
    const results = nodeKind.make('echo', { minProcesses: 0 }).imap(new Waiting());
    const next = results.next();
    await turns();
    expect(await results.return()).to.deep.equal({ done: true, value: undefined });
    expect(await next).to.deep.equal({ done: true, value: undefined });
  });
});
