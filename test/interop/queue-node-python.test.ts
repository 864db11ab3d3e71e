// SPDX-License-Identifier: MIT
//
// One queue between children of both languages.
import { join } from 'node:path';

import { expect } from 'chai';
import { Process, PythonProcess, Queue } from 'node-multiprocessing';

import { foreignEnv, newestPython, packageRoot } from '../helpers/index.js';

describe('A Queue with pickle serialization', () => {
  for (const order of [
    ['node', 'python'],
    ['python', 'node'],
  ]) {
    // Regression: a queue that was given to a Node child first could not be read by Python, whatever its serialization.
    it(`may be given to children in this order: ${order.join(', ')}`, async () => {
      const source = new Queue({ serialization: 'pickle' });
      const sink = new Queue<[string, number]>({ serialization: 'pickle' });
      const make = {
        node: () =>
          new Process({
            module: join(packageRoot, 'out', 'test', 'peers', 'node-children.js'),
            target: 'relay',
            args: [source, sink, 'node'],
          }),
        python: () =>
          new PythonProcess({
            target: 'children:relay',
            args: [source, sink, 'python'],
            python: newestPython().path,
            pythonPath: join(packageRoot, 'test', 'peers'),
            env: foreignEnv(),
          }),
      };
      const children = order.map((name) => make[name as keyof typeof make]());
      for (const child of children) child.start();
      const sent = Array.from({ length: 200 }, (_, i) => i);
      for (const item of sent) await source.put(item);
      const got = [];
      while (got.length < sent.length) got.push((await sink.get())[1]);
      expect(got.sort((a, b) => a - b)).to.deep.equal(sent);
      for (let i = 0; i < children.length; i++) await source.put(null);
      for (const child of children) {
        expect(await child.join()).to.equal(true);
        child.close();
      }
      source.close();
      sink.close();
    });
  }
});
