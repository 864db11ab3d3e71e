// SPDX-License-Identifier: MIT
import { expect } from 'chai';
import * as mp from 'node-multiprocessing';

describe('exports', () => {
  it('are called by their names, which stack traces show', () => {
    for (const [name, value] of Object.entries(mp)) {
      if (typeof value === 'function') expect(value.name).to.equal(name);
    }
  });
});
