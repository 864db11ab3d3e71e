// SPDX-License-Identifier: MIT
//
// The arguments that pools refuse, before anything is started or sent.
import { expect } from 'chai';
import { activeChildren, currentTask, pickle, Pool, PythonPool } from 'node-multiprocessing';

import { refuses, throws } from '../helpers/index.js';

const TYPE = 'ERR_INVALID_ARG_TYPE';
const RANGE = 'ERR_OUT_OF_RANGE';
const module = new URL('../lifecycle/children/pool-functions.js', import.meta.url);

const node = (options: object): Pool => new Pool({ module, target: 'echo', minProcesses: 0, ...options });
const python = (options: object): PythonPool => new PythonPool({ target: 'math:sqrt', minProcesses: 0, ...options });

/** Each option with a value that it refuses, and the code. */
const wrong: readonly [string, unknown, string][] = [
  ['processes', 0, RANGE],
  ['processes', 'many', TYPE],
  ['processes', 1.5, RANGE],
  ['minProcesses', -1, RANGE],
  ['maxTasksPerChild', 0, RANGE],
  ['maxRss', 0, RANGE],
  ['maxQueue', -1, RANGE],
  ['retries', -1, RANGE],
  ['timeout', NaN, RANGE],
  ['timeout', '1', TYPE],
  ['queueTimeout', NaN, RANGE],
  ['killTimeout', NaN, RANGE],
  ['idleTimeout', 'soon', TYPE],
  ['env', 5, TYPE],
  ['cwd', 5, TYPE],
  ['name', 5, TYPE],
  ['initargs', 5, TYPE],
  ['context', 5, TYPE],
  ['context', { request: 'a1' }, TYPE],
];

describe('The constructors of pools', () => {
  for (const make of [node, python]) {
    it(`refuse wrong values of options (${make === node ? 'Pool' : 'PythonPool'})`, async () => {
      for (const [name, value, code] of wrong) await refuses(() => make({ [name]: value }), name, code);
      await refuses(() => make({ processes: 1, minProcesses: 2 }), 'minProcesses', RANGE);
      await refuses(() => make({ process: 2 }), 'processes', TYPE);
      expect(activeChildren()).to.deep.equal([]);
    });
  }

  it('refuse targets that a worker cannot find', async () => {
    await refuses(() => node({ module: './relative.js' }), 'module', RANGE);
    await refuses(() => node({ target: [() => 1][0] }), 'target', RANGE);
    await refuses(() => node({ initializer: 5 }), 'target', TYPE);
    await refuses(() => python({ target: 'no function' }), 'target', RANGE);
    await refuses(() => python({ initializer: 'no function' }), 'target', RANGE);
    await refuses(() => python({ context: { request: () => 1 } }), 'context', RANGE);
  });
});

describe('The calls of pools', () => {
  it('refuse wrong arguments and options', async () => {
    const pools = [node({}), python({})];
    for (const pool of pools) {
      const apply = (args: unknown, options?: object): unknown => pool.apply(args as [], options);
      await refuses(() => apply(5), 'args', TYPE);
      await refuses(() => apply([], { timeOut: 5 }), 'timeout', TYPE);
      await refuses(() => apply([], { timeout: NaN }), 'timeout', RANGE);
      await refuses(() => apply([], { priority: 'high' }), 'priority', TYPE);
      await refuses(() => apply([], { retries: 0.5 }), 'retries', RANGE);
      await refuses(() => apply([], { signal: 5 }), 'signal', TYPE);
      await refuses(() => apply([], { onProgress: 5 }), 'onProgress', TYPE);
      await refuses(() => apply([], { target: 5 }), 'target', TYPE);
      await refuses(() => pool.map(5 as never), 'items', TYPE);
      await refuses(() => pool.map([], { chunksize: 0 }), 'chunksize', RANGE);
      await refuses(() => pool.starmap([5] as never), 'args', TYPE);
      await refuses(() => pool.imap([], { buffersize: 0 }), 'buffersize', RANGE);
      await refuses(() => pool.imap(5 as never), 'items', TYPE);
      await refuses(() => pool.stream([], { buffersize: 0 }), 'buffersize', RANGE);
      await refuses(() => pool.close({ grace: NaN }), 'grace', RANGE);
      const broken = { [Symbol.iterator]: () => ({ next: () => 5 }) } as never;
      await refuses(() => pool.map(broken), 'items.next()', TYPE);
      await refuses(() => pool.imap(broken).next(), 'items.next()', TYPE);
      // Regression: it was a failure without a code.
      expect(await pool.map('' as never)).to.deep.equal([]);
    }
    await refuses(() => pools[0]!.apply([] as never, { kwargs: {} }), 'kwargs', TYPE);
    for (const pool of pools) await pool.terminate();
  });
});

describe('currentTask', () => {
  it('is undefined outside of a worker', () => {
    expect(currentTask()).to.equal(undefined);
  });
});

describe("The exceptions of multiprocessing's own pools in pickles", () => {
  const call = (module: string, name: string, ...args: unknown[]): Buffer =>
    pickle.dumps(new pickle.PythonObject(new pickle.PythonGlobal(module, name), args, false));
  const error = new pickle.PythonObject(new pickle.PythonGlobal('builtins', 'ValueError'), ['bad'], false);

  for (const [module, name] of [
    ['multiprocessing.pool', 'rebuild_exc'],
    ['concurrent.futures.process', '_rebuild_exc'],
  ] as const) {
    it(`have their traceback: ${module}.${name}`, () => {
      const traceback = '\n"""\nTraceback ...\nValueError: bad\n"""';
      const rebuilt = pickle.loads(call(module, name, error, traceback)) as pickle.PythonError;
      expect(rebuilt).to.be.instanceOf(pickle.PythonError);
      expect(rebuilt).to.include({ name: 'ValueError', message: 'bad' });
      expect(rebuilt.traceback).to.equal('Traceback ...\nValueError: bad');
    });

    it(`are refused if they are none: ${module}.${name}`, () => {
      throws(() => pickle.loads(call(module, name, 5, 'text')), { code: 'ERR_MP_UNPICKLING' });
      throws(() => pickle.loads(call(module, name, error, 5)), { code: 'ERR_MP_UNPICKLING' });
    });
  }
});
