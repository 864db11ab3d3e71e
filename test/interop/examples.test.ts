// SPDX-License-Identifier: MIT
//
// The examples with Python in them, as a user would run them.
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

import { expect } from 'chai';

import { edgePythons, packageRoot, spawnPeer, type Program } from '../helpers/index.js';
import { numpyPythons } from '../helpers/pickles.js';

const examples = join(packageRoot, 'examples');

function node(file: string, args: readonly string[] = []): Program {
  return { language: 'node', label: 'example', command: process.execPath, args: [join(examples, file), ...args] };
}

/** What an example prints with that Python. */
async function linesWith(python: string, file: string, ...args: string[]): Promise<string[]> {
  const peer = spawnPeer(node(file, args), { env: { PYTHON: python } });
  const output = await peer.succeeded();
  expect(peer.stderr).to.equal('');
  return output.trimEnd().split('\n');
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

const thumbnails = [
  'blue.ppm: 80 x 60, mean colour 0, 0, 127',
  'green.ppm: 80 x 60, mean colour 0, 127, 0',
  'grey.ppm: 80 x 60, mean colour 64, 64, 64',
  'notes.ppm: RemoteError: notes.ppm is not a PPM file of 8 bits',
  'red.ppm: 80 x 60, mean colour 127, 0, 0',
];

const spectrum = ['Float64Array 513 <f8 [ 513 ]', '50: 1.000', '120: 0.500', '[ 14, 32, 32, 77 ] [ 2, 2 ]'];

const filtered = ['Uint8Array 480 x 640 x 3, the same memory: true', 'changed in place: true'];

const withNumpy = numpyPythons();
const withoutNumpy = edgePythons()
  .filter(({ path }) => withNumpy.every((found) => found.path !== path))
  .slice(0, 1);

describe('Examples with numpy', () => {
  for (const [name, lines] of Object.entries({ numpy: spectrum, thumbnails })) {
    for (const { numpy, path } of withNumpy) {
      it(`examples/${name}, with numpy ${numpy}`, async () => {
        expect(await linesWith(path, `${name}/main.mjs`)).to.deep.equal(lines);
      });
    }
    for (const { version, path } of withoutNumpy) {
      it(`examples/${name}, without numpy in Python ${version}`, async () => {
        expect(await linesWith(path, `${name}/main.mjs`)).to.deep.equal(['numpy is not installed for this Python.']);
      });
    }
  }

  for (const { version, path } of [...withNumpy.slice(0, 1), ...withoutNumpy]) {
    it(`examples/image, with Python ${version}`, async () => {
      const hasNumpy = withNumpy.some((found) => found.path === path);
      const folder = mkdtempSync(join(tmpdir(), 'mp-image-'));
      try {
        const lines = hasNumpy ? filtered : ['numpy is not installed for this Python.'];
        expect(await linesWith(path, 'image/main.mjs', folder)).to.deep.equal(lines);
        const files = hasNumpy ? ['edges.png', 'sunset.png'] : [];
        expect(readdirSync(folder)).to.have.members(files);
        for (const file of files) expect(readFileSync(join(folder, file)).toString('latin1', 1, 4)).to.equal('PNG');
      } finally {
        rmSync(folder, { recursive: true });
      }
    });
  }
});

for (const { version, path } of edgePythons()) {
  describe(`Examples with Python ${version}`, () => {
    const linesOf = (file: string): Promise<string[]> => linesWith(path, file);

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

    it('examples/stream', async () => {
      const closed = 'Python has closed the file';
      // What Python prints arrives by another way than what it yields.
      const lines = (await linesOf('stream/main.mjs')).sort();
      expect(lines).to.deep.equal([closed, closed, 'efd5e0bf4e9960f3', 'found line 777']);
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
