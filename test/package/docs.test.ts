// SPDX-License-Identifier: MIT
//
// The documentation, checked against the package: codes, scripts, links and examples.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { expect } from 'chai';
import ts from 'typescript';
import * as mp from 'node-multiprocessing';

import { newestPython, packageRoot, spawnPeer } from '../helpers/index.js';

const pages = [
  'README.md',
  'CONTRIBUTING.md',
  'CHANGELOG.md',
  'SECURITY.md',
  ...readdirSync(join(packageRoot, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
];

function read(page: string): string {
  return readFileSync(join(packageRoot, page), 'utf8');
}

/** The error classes of the package with their codes. */
function exportedCodes(): Map<string, string> {
  const codes = new Map<string, string>();
  for (const [name, value] of Object.entries(mp as Record<string, unknown>)) {
    if (typeof value !== 'function' || !(value.prototype instanceof mp.MultiprocessingError)) continue;
    // The constructors want different arguments, and accept these.
    const error = Reflect.construct(value, [Buffer.alloc(0), 0, {}]) as mp.MultiprocessingError;
    codes.set(name, error.code);
  }
  return codes;
}

/** GitHub's name for a heading. */
function anchor(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\- _]/gu, '')
    .replaceAll(' ', '-');
}

function anchors(page: string): string[] {
  const prose = read(page).replaceAll(/^```.*?^```$/gms, '');
  return [...prose.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => anchor(heading!));
}

describe('documentation', () => {
  it('lists exactly the codes of the exported classes in docs/errors.md', () => {
    const text = read('docs/errors.md');
    const table = new Map(
      [...text.matchAll(/^\| \[`(\w+)`\]\(#(\w+)\) \| `(\w+)` \|/gm)].map(([, name, link, code]) => {
        expect(link).to.equal(anchor(name!));
        return [name!, code!];
      }),
    );
    expect([...table].sort()).to.deep.equal([...exportedCodes()].sort());
    for (const name of table.keys()) expect(text).to.match(new RegExp(`^## ${name}$`, 'm'));
  });

  it('names only npm scripts that exist', () => {
    const { scripts } = JSON.parse(read('package.json')) as { scripts: Record<string, string> };
    for (const page of pages) {
      for (const [, name] of read(page).matchAll(/npm run ([\w:]+)/g)) {
        expect(scripts, `npm run ${name}, in ${page}`).to.have.property(name!);
      }
    }
  });

  it('has links that lead somewhere', () => {
    for (const page of pages) {
      for (const [, link] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(link!)) continue;
        const [file, target] = link!.split('#') as [string, string?];
        const path = file === '' ? page : join(dirname(page), file);
        expect(existsSync(join(packageRoot, path)), `${link} in ${page}`).to.equal(true);
        if (target !== undefined) expect(anchors(path), `${link} in ${page}`).to.include(target);
      }
    }
  });

  it('names a test that exists for each guarantee in docs/reliability.md', () => {
    const table = read('docs/reliability.md').split('## Guarantees')[1]!.split('\n## ')[0]!;
    const rows = table.split('\n').filter((line) => line.startsWith('| ') && !line.startsWith('| Event'));
    expect(rows.length).to.be.greaterThan(10);
    for (const row of rows.slice(1)) {
      const files = [...row.matchAll(/`(test\/[^`]+)`/g)].map(([, file]) => file!);
      expect(files, row).not.to.have.length(0);
      for (const file of files) expect(existsSync(join(packageRoot, file)), file).to.equal(true);
    }
  });

  it('draws docs/layers.svg from scripts/layers.mjs', () => {
    const script = join(packageRoot, 'scripts', 'draw-layers.mjs');
    const { status, stderr } = spawnSync(process.execPath, [script, '--check'], { encoding: 'utf8' });
    expect(stderr).to.equal('');
    expect(status).to.equal(0);
  });

  it('has a README of at most 180 lines', () => {
    expect(read('README.md').trimEnd().split('\n').length).to.be.at.most(180);
  });

  it('names every member of Connection in docs/api.md', () => {
    const text = read('docs/api.md');
    const members = Object.getOwnPropertyNames(mp.Connection.prototype).filter((name) => name !== 'constructor');
    for (const name of members) {
      // Of two twins the page lists one, and the other where the line has room.
      const listed = name.replace(/Sync$/, '');
      expect(text, name).to.match(new RegExp(`\`${listed}[\`(]`));
    }
  });

  for (const page of [
    'README.md',
    'docs/connections.md',
    'docs/errors.md',
    'docs/listener.md',
    'docs/locks.md',
    'docs/managers.md',
    'docs/pool.md',
    'docs/python.md',
    'docs/queues.md',
    'docs/shared-memory.md',
  ]) {
    const examples = [...read(page).matchAll(/^```js\n(.*?)^```$/gms)]
      .map(([, text]) => text!)
      // readme.test.ts runs the examples that need a file beside them; shared-arrays.test.ts has the one for numpy.
      .filter((text) => page !== 'docs/shared-memory.md' || !text.includes('import.meta'))
      .filter(
        (text) =>
          page !== 'README.md' || (/^import \* as mp /m.test(text) && !/import\.meta|fromFd|process\.argv/.test(text)),
      );
    examples.forEach((text, i) => {
      it(`has a running example: ${page}, number ${i + 1}`, async () => {
        const program = /^import \* as mp /m.test(text) ? '' : "import * as mp from 'node-multiprocessing';\n";
        const args = ['--input-type=module', '-e', program + text];
        const env = { PATH: `${dirname(newestPython().path)}:${process.env['PATH'] ?? ''}` };
        const peer = spawnPeer({ language: 'node', label: 'example', command: process.execPath, args }, { env });
        await peer.succeeded();
        expect(peer.stderr).to.equal('');
      });
    });
  }

  it('has a Python module and a Node program in docs/python.md that run together, with the output shown', async () => {
    const text = read('docs/python.md');
    const pairs = [...text.matchAll(/^```python\n# (\w+\.py)\n(.*?)^```\n\n```ts\n(import \* as mp .*?)^```$/gms)];
    expect(pairs).to.have.length(1);
    for (const [, file, module, program] of pairs as unknown as [string, string, string, string][]) {
      const folder = mkdtempSync(join(packageRoot, 'out', 'docs-'));
      try {
        writeFileSync(join(folder, file), module);
        const compilerOptions = { module: ts.ModuleKind.ESNext, target: ts.ScriptTarget.ES2022 };
        const code = ts.transpileModule(program, { compilerOptions }).outputText;
        writeFileSync(join(folder, 'main.mjs'), code);
        const args = [join(folder, 'main.mjs')];
        const env = { PYTHON: newestPython().path };
        const peer = spawnPeer({ language: 'node', label: 'example', command: process.execPath, args }, { env });
        const said = [...program.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, line]) => `${line}\n`);
        expect(said).not.to.deep.equal([]);
        expect(await peer.succeeded()).to.equal(said.join(''));
        expect(peer.stderr).to.equal('');
      } finally {
        rmSync(folder, { recursive: true });
      }
    }
  });

  const outputs = { 'README.md': '1\n2\n3\n4\nConsumer done\n', 'docs/processes.md': '144\n' };
  for (const [page, output] of Object.entries(outputs)) {
    it(`has an example in ${page} that starts itself as another process, and runs from a file`, async () => {
      const examples = [...read(page).matchAll(/^```js\n(.*?)^```$/gms)].map(([, text]) => text!);
      const texts = examples.filter((text) => text.includes('import.meta.url'));
      expect(texts).to.have.length(1);
      const folder = join(packageRoot, 'out', 'docs');
      mkdirSync(folder, { recursive: true });
      const file = join(folder, `${page.replace(/\W/g, '-')}.mjs`);
      writeFileSync(file, texts[0]!);
      const peer = spawnPeer({ language: 'node', label: 'example', command: process.execPath, args: [file] });
      expect(await peer.succeeded()).to.equal(output);
      expect(peer.stderr).to.equal('');
    });
  }
});
