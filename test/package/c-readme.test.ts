// SPDX-License-Identifier: MIT
//
// interop/c/README.md, checked against the headers and the compilers: its programs run, and it lists everything that
// exists.
import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';
import { Lock } from 'node-multiprocessing';

import { edgePythons, foreignEnv, packageRoot, spawnPeer, type Program } from '../helpers/index.js';

const interop = join(packageRoot, 'interop', 'c');
const readme = readFileSync(join(interop, 'README.md'), 'utf8');
const folder = join(packageRoot, 'out', 'c-readme');

function blocks(language: string): string[] {
  return [...readme.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\`$`, 'gms'))].map(([, text]) => text!);
}

const declarations = ['node_multiprocessing.h', ...readdirSync(join(interop, 'nmp')).map((name) => `nmp/${name}`)]
  .map((name) => readFileSync(join(interop, name), 'utf8'))
  .flatMap((text) => [...text.matchAll(/^static inline ([^;{]*\bnmp_\w+\([^)]*\))/gm)])
  .map(([, declaration]) => declaration!.replaceAll(/\s+/g, ' '))
  .filter((declaration) => !/_\(/.test(declaration));

/** Compiles the programs of the page, in the order in which it shows them. */
const names = ['shout', 'lock', 'count'];

function run(command: string, ...args: string[]): Program {
  return { language: command === process.execPath ? 'node' : 'c', label: 'example', command, args };
}

describe('interop/c/README.md', () => {
  before(() => {
    const programs = blocks('c');
    expect(programs).to.have.lengthOf(names.length);
    mkdirSync(folder, { recursive: true });
    names.forEach((name, i) => {
      writeFileSync(join(folder, `${name}.c`), programs[i]!);
      const args = ['-Wall', '-Wextra', '-Werror', '-pedantic', '-pthread', `-I${interop}`, '-o', name, `${name}.c`];
      const { status, stderr } = spawnSync('cc', args, { cwd: folder, encoding: 'utf8', env: foreignEnv() });
      expect(status, stderr).to.equal(0);
    });
  });

  it('declares every function', () => {
    const listed = [...readme.matchAll(/^\| `([^`]*\bnmp_\w+\([^`]*\))` \|/gm)].map(([, declaration]) => declaration!);
    const functions = listed.filter((declaration) => /^(int|void|const char \*) ?nmp_/.test(declaration));
    expect(functions).to.have.members(declarations);
  });

  it('lists every return code', () => {
    const base = readFileSync(join(interop, 'nmp', 'base.h'), 'utf8');
    const codes = [...base.matchAll(/^ {2}(NMP_\w+) = -\d+/gm)].map(([, code]) => code!);
    const listed = [...readme.matchAll(/^\| `(NMP_\w+)` \|/gm)].map(([, code]) => code!);
    expect(codes).to.not.have.lengthOf(0);
    expect(listed).to.have.members(codes);
  });

  it('shows every part of a queue', () => {
    const [, text] = /^struct nmp_queue_parts \{\n(.*?)^\};$/ms.exec(
      readFileSync(join(interop, 'nmp', 'queue.h'), 'utf8'),
    )!;
    const members = [...text!.matchAll(/^ {2}(\w[^;]*);/gm)].map(([, member]) => member!.replaceAll(/\s+/g, ' '));
    const listed = [...readme.matchAll(/^\| `((?:int|const char \*) ?\w+)` \|/gm)].map(([, member]) => member!);
    expect(members).to.not.have.lengthOf(0);
    expect(listed).to.have.members(members);
  });

  it('has examples for Node that run', async () => {
    const outputs = [];
    for (const program of blocks('js')) {
      const peer = spawnPeer(run(process.execPath, '--input-type=module', '-e', program), { cwd: folder });
      outputs.push(await peer.succeeded());
    }
    expect(outputs).to.deep.equal(['HELLO\n', '5\n']);
  });

  it('has a program with a lock that runs', async () => {
    const lock = new Lock();
    expect(await spawnPeer(run(join(folder, 'lock'), lock.name)).succeeded()).to.equal('C has the lock\n');
    expect(lock.value).to.equal(1);
    lock.close();
  });

  for (const python of edgePythons()) {
    it(`has examples for Python that run (python${python.version})`, async () => {
      const outputs = [];
      for (const program of blocks('python')) {
        outputs.push(await spawnPeer(run(python.path, '-c', program), { cwd: folder }).succeeded());
      }
      expect(outputs[0]).to.equal("b'HELLO'\n");
      expect(Number(outputs[1])).to.be.greaterThan('hello'.length);
      expect(outputs).to.have.lengthOf(2);
    });
  }
});
