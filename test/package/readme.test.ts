// SPDX-License-Identifier: MIT
//
// README.md and docs/examples.md show the example programs, and this file runs them as they are shown.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { foreignEnv, newestPython, packageRoot, spawnPeer, type Program } from '../helpers/index.js';

const readme = ['README.md', 'docs/examples.md']
  .map((page) => readFileSync(join(packageRoot, page), 'utf8'))
  .join('\n');

/** The code blocks of both pages, by the file name above each. */
const shown = new Map(
  [...readme.matchAll(/^`(examples\/[^`]+)`\n\n```\w+\n(.*?)^```$/gms)].map(([, name, text]) => [name!, text!]),
);

function example(file: string, ...args: string[]): Program {
  return { language: 'node', label: 'example', command: process.execPath, args: [join(packageRoot, file), ...args] };
}

/** A PATH on which `python3` is one of the interpreters that the tests use. */
function pathWithPython(): string {
  return `${join(newestPython().path, '..')}:${process.env['PATH'] ?? ''}`;
}

describe('README examples', () => {
  it('are the files of the example folders, word for word', () => {
    const files = ['shared-queue', 'node-node', 'node-python', 'node-c', 'c-worker'].flatMap((folder) =>
      readdirSync(join(packageRoot, 'examples', folder))
        .filter((name) => name !== '__pycache__')
        .map((name) => `examples/${folder}/${name}`)
        // The page links to this file.
        .filter((name) => name !== 'examples/c-worker/hash.c'),
    );
    expect([...shown.keys()]).to.have.members(files);
    for (const [name, text] of shown) {
      expect(text, name).to.equal(readFileSync(join(packageRoot, name), 'utf8'));
    }
  });

  it('are short', () => {
    for (const [name, text] of shown) {
      if (name.endsWith('.mjs')) expect(text.trimEnd().split('\n').length, name).to.be.at.most(15);
    }
  });

  it('run with a queue between Node and Python', async () => {
    const peer = spawnPeer(example('examples/shared-queue/main.mjs'), { env: { PATH: pathWithPython() } });
    expect(await peer.succeeded()).to.equal("[ 'to', 2 ] [ 'well', 2 ]\n");
    expect(readme).to.include("prints `[ 'to', 2 ] [ 'well', 2 ]`");
  });

  it('run between Node and Node', async () => {
    const peer = spawnPeer(example('examples/node-node/main.mjs'));
    expect((await peer.succeeded()).split('\n')).to.deep.equal(['7', 'HelloWorld', 'Server done', '']);
  });

  it('run between Node and Python', async () => {
    const peer = spawnPeer(example('examples/node-python/main.mjs'), { env: { PATH: pathWithPython() } });
    expect((await peer.succeeded()).split('\n')).to.deep.equal(['{ count: 4, mean: 3 }', 'Python done', '']);
  });

  for (const [name, output] of [
    ['shout', 'HELLO\nWORLD\n'],
    ['hash', 'f55c314b\ndd60ed33\n'],
  ] as const) {
    it(`run between Node and C, with the commands shown: ${name}`, async () => {
      const [, block] = new RegExp(`^\`\`\`sh\\n(cc [^\\n]* -o ${name} .*?)^\`\`\`$`, 'ms').exec(readme) ?? [];
      const [compile, run] = (block ?? '').trim().split('\n') as [string, string];
      const folder = join(packageRoot, 'out', 'readme');
      mkdirSync(folder, { recursive: true });
      const program = join(folder, name);
      const inFolder = (command: string): string[] =>
        command
          // The package is installed in the project of a user.
          .replace('node_modules/node-multiprocessing/', '')
          .split(' ')
          .map((word) => (word === name || word === `./${name}` ? program : word));
      const [cc, ...ccArguments] = inFolder(compile);
      const { status, stderr } = spawnSync(cc!, ccArguments, { cwd: packageRoot, encoding: 'utf8', env: foreignEnv() });
      expect(status, stderr).to.equal(0);
      const [node, file, ...args] = inFolder(run);
      expect(node).to.equal('node');
      const peer = spawnPeer(example(file!, ...args));
      expect(await peer.succeeded()).to.equal(output);
    });
  }
});
