// SPDX-License-Identifier: MIT
//
// lib/python/spawn_child.py, which a Python child runs before its function: each part by itself.
import { join } from 'node:path';

import { expect } from 'chai';

import { packageRoot, pythonPeer, pythons, spawnPeer } from '../helpers/index.js';

/** What a call returned or raised, and what it has reported to the parent. */
interface Outcome {
  readonly value?: unknown;
  readonly error?: string;
  readonly message?: string;
  /** The name of the one that ended the process. */
  readonly signal?: string;
  readonly reports: readonly { type: string; stage?: string; message?: string; stack?: string }[];
}

for (const python of pythons()) {
  describe(`spawn_child.py in Python ${python.version}`, () => {
    let outcomes: Record<string, Outcome>;

    before(async () => {
      const file = join(packageRoot, 'lib', 'python', 'spawn_child.py');
      const peer = spawnPeer(pythonPeer(python, 'spawn_child_calls'), { args: [file] });
      outcomes = JSON.parse(await peer.succeeded()) as Record<string, Outcome>;
    });

    /** Expects one report of a failure, with a traceback that ends with the error. */
    function expectFailure(name: string, stage: string, error: string): void {
      const { reports, ...outcome } = outcomes[name]!;
      expect(outcome.error).to.equal(error);
      const before = stage === 'run' ? [['running', undefined]] : [];
      expect(reports.map((report) => [report.type, report.stage])).to.deep.equal([...before, ['failed', stage]]);
      const failure = reports.at(-1)!;
      expect(failure.message).to.match(new RegExp(`^(?:_pickle\\.)?${error}: .`));
      expect(failure.stack).to.match(/^Traceback .*\n/);
      expect(failure.stack).to.include(`${error}: `);
    }

    it('accepts this interpreter', () => {
      expect(outcomes['cpython']).to.deep.equal({ value: null, reports: [] });
    });

    it('refuses an implementation other than CPython, and a version before 3.8', () => {
      const { error, message } = outcomes['other implementation']!;
      expect([error, message]).to.deep.equal(['RuntimeError', 'pypy3 is pypy, not CPython']);
      expect(outcomes['too old']!.message).to.equal('python3.7 is Python 3.7; 3.8 or later is needed');
    });

    it('reports that it has taken over its arguments', () => {
      expect(outcomes['arguments']).to.deep.equal({ value: [[1, 2], { key: 3 }], reports: [{ type: 'attached' }] });
    });

    it('reports arguments that it cannot take over', () => {
      expectFailure('garbage', 'attach', 'UnpicklingError');
    });

    it('finds a function in a module, or in an object of the module', () => {
      expect(outcomes['function']).to.deep.equal({ value: true, reports: [] });
    });

    it('reports a module that is missing', () => {
      expectFailure('no module', 'import', 'ModuleNotFoundError');
    });

    it('reports a function that is missing, with the names of those that the module has', () => {
      expectFailure('no function', 'export', 'AttributeError');
      expect(outcomes['no function']!.message).to.match(
        /^module 'select' has no function 'no_such_function'; it has: .*select/,
      );
      expectFailure('no member', 'export', 'AttributeError');
    });

    it('does not report from a process that the child has forked', () => {
      expect(outcomes['forked']).to.deep.equal({ value: null, reports: [{ type: 'from the child' }] });
    });

    it('reports an error of the function, at a length that the system buffers', () => {
      expectFailure('failure', 'run', 'ValueError');
      const { message, stack } = outcomes['long failure']!.reports.at(-1)!;
      expect([message!.length, stack!.length]).to.deep.equal([8192, 32768]);
    });

    it('does not report that the function ends the process', () => {
      const { error, reports } = outcomes['exit']!;
      expect([error, reports]).to.deep.equal(['SystemExit', [{ type: 'running' }]]);
    });

    it('ends a daemon by SIGTERM when its parent ends', () => {
      expect(outcomes['terminated']!.signal).to.equal('SIGTERM');
    });

    it('ends a daemon that ignores SIGTERM by SIGKILL after the grace', () => {
      expect(outcomes['killed']!.signal).to.equal('SIGKILL');
    });
  });
}
