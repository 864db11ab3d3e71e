// SPDX-License-Identifier: MIT
//
// The examples with Python in them, as a user would run them.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { expect } from 'chai';

import { edgePythons, foreignEnv, numpyPythons, packageRoot, spawnPeer, type Program } from '../helpers/index.js';

const examples = join(packageRoot, 'examples');

function node(file: string, args: readonly string[] = []): Program {
  return { language: 'node', label: 'example', command: process.execPath, args: [join(examples, file), ...args] };
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

const filtered = ['Uint8Array 480 x 640 x 3, the same memory: true', 'changed in place: true'];

async function linesOf(path: string, file: string, ...args: string[]): Promise<string[]> {
  const peer = spawnPeer(node(file, args), { env: { PYTHON: path } });
  const output = await peer.succeeded();
  expect(peer.stderr).to.equal('');
  return output.trimEnd().split('\n');
}

for (const { version, path } of edgePythons()) {
  describe(`Examples with Python ${version}`, () => {
    for (const [name, lines] of Object.entries(programs)) {
      it(`examples/${name}/python.mjs`, async () => {
        const printed = await linesOf(path, `${name}/python.mjs`);
        // Two consumers print in any order.
        expect(name === 'joinable-many' ? printed.sort() : printed).to.deep.equal(lines);
      });
    }

    it('examples/python-worker', async () => {
      expect(await linesOf(path, 'python-worker/main.mjs')).to.deep.equal(answers);
    });

    it('examples/numpy, with numpy, and its message without numpy', async () => {
      const { status } = spawnSync(path, ['-c', 'import numpy'], { env: foreignEnv() });
      const lines = status === 0 ? spectrum : ['numpy is not installed for this Python.'];
      expect(await linesOf(path, 'numpy/main.mjs')).to.deep.equal(lines);
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

// One without numpy, as a rule, and one with it.
for (const { version, path } of [...edgePythons().slice(0, 1), ...numpyPythons().slice(0, 1)]) {
  it(`examples/image with Python ${version}`, async () => {
    const { status } = spawnSync(path, ['-c', 'import numpy'], { env: foreignEnv() });
    const lines = status === 0 ? filtered : ['numpy is not installed for this Python.'];
    const folder = mkdtempSync(join(tmpdir(), 'mp-image-'));
    try {
      expect(await linesOf(path, 'image/main.mjs', folder)).to.deep.equal(lines);
      const files = status === 0 ? ['edges.png', 'sunset.png'] : [];
      expect(readdirSync(folder)).to.have.members(files);
      for (const file of files) expect(readFileSync(join(folder, file)).toString('latin1', 1, 4)).to.equal('PNG');
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}
