// SPDX-License-Identifier: MIT
import { expect } from 'chai';
import * as mp from 'node-multiprocessing';

describe('Exported classes', () => {
  it('have their own names, which stack traces show', () => {
    for (const [name, value] of Object.entries(mp)) {
      if (typeof value === 'function') expect(value.name).to.equal(name);
    }
  });
});
