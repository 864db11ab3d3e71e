// SPDX-License-Identifier: MIT
//
// The ends of members with shared arrays, many times: Node and Python, each way to end, several at a time.
import { expect } from 'chai';

import { numpyPythons } from '../helpers/index.js';
import {
  blocksLeft,
  endOne,
  ends,
  startNode,
  startPython,
  type Start,
} from '../lifecycle/support/shared-array-ends.js';

const ROUNDS = 40;

const starts: Record<string, Start> = { Node: startNode };
for (const { version, numpy, path } of numpyPythons()) starts[`Python ${version}, numpy ${numpy}`] = startPython(path);

describe('Members that have shared arrays', () => {
  for (const [language, start] of Object.entries(starts)) {
    for (const how of ends) {
      it(`in ${language} leave no block: ${how}`, async () => {
        for (let i = 0; i < ROUNDS; i += 4) await Promise.all([1, 2, 3, 4].map(() => endOne(how, start)));
        expect(await blocksLeft()).to.deep.equal([]);
      });
    }
  }
});
