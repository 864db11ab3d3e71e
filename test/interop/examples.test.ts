// SPDX-License-Identifier: MIT
//
// The examples with Python in them, as a user would run them.
import { spawnSync } from 'node:child_process';
import { dirname, join } from 'node:path';

import { expect } from 'chai';

import { edgePythons, foreignEnv, packageRoot, spawnPeer, type Program } from '../helpers/index.js';

const examples = join(packageRoot, 'examples');

function node(file: string): Program {
  return { language: 'node', label: 'example', command: process.execPath, args: [join(examples, file)] };
}

/** The five programs, with their consumers in Python. */
const programs: Record<string, readonly string[]> = {
  'pipe-eof': ['1', '2', '3', '4', 'Consumer done'],
  adder: ['7', 'HelloWorld', 'Server done'],
  joinable: ['1', '2', '3', '4'],
  'joinable-many': ['1', '2', '3', '4'],
  sentinel: ['1', '2', '3', '4', 'Consumer done'],
};

const answers = [
  'count: 200 {"words":20,"common":{"the":3,"fox":2}}',
  'summary: 200 {"summary":"The quick brown fox jumps over the lazy dog.","left out":54}',
  'redact: 200 {"text":"The quick brown fox jumps over the lazy dog. The dog sleeps on. Write to <address> for more."}',
  'summary: 422 {"error":"there is no sentence in it"}',
  'translate: 404 {"error":"no such function: translate"}',
];

const spectrum = ['Float64Array 513 <f8 [ 513 ]', '50: 1.000', '120: 0.500', '[ 14, 32, 32, 77 ] [ 2, 2 ]'];

for (const { version, path } of edgePythons()) {
  describe(`Examples with Python ${version}`, () => {
    async function linesOf(file: string): Promise<string[]> {
      const peer = spawnPeer(node(file), { env: { PYTHON: path } });
      const output = await peer.succeeded();
      expect(peer.stderr).to.equal('');
      return output.trimEnd().split('\n');
    }

    for (const [name, lines] of Object.entries(programs)) {
      it(`examples/${name}/python.mjs`, async () => {
        const printed = await linesOf(`${name}/python.mjs`);
        // Two consumers print in any order.
        expect(name === 'joinable-many' ? printed.sort() : printed).to.deep.equal(lines);
      });
    }

    it('examples/python-worker', async () => {
      expect(await linesOf('python-worker/main.mjs')).to.deep.equal(answers);
    });

    it('examples/numpy, with numpy, and its message without numpy', async () => {
      const { status } = spawnSync(path, ['-c', 'import numpy'], { env: foreignEnv() });
      const lines = status === 0 ? spectrum : ['numpy is not installed for this Python.'];
      expect(await linesOf('numpy/main.mjs')).to.deep.equal(lines);
    });

    it('examples/python-parent', async () => {
      const program: Program = {
        language: 'python',
        label: `python${version}`,
        command: path,
        args: [join(examples, 'python-parent', 'main.py')],
      };
      const env = { PATH: `${process.env['PATH'] ?? ''}:${dirname(process.execPath)}` };
      const peer = spawnPeer(program, { env });
      const output = await peer.succeeded();
      const amounts = ['1.234,50 €', '1.000.000,00 €', '-0,25 €'].map((amount) => amount.replace(' ', '\u00a0'));
      const lines = [...amounts, 'The lock is free.', 'The process ended with 0', ''];
      expect(output.split('\n')).to.deep.equal(lines);
      expect(peer.stderr).to.equal('');
    });
  });
}
