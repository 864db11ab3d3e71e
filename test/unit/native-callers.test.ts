// SPDX-License-Identifier: MIT
//
// lib/native/addon.ts, queue-functions.ts and memory-functions.ts declare what the addon exports. Without this test nothing would show that lib/ does not call a
// function any more, or that a declaration is wrong.
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Worker } from 'node:worker_threads';

import { expect } from 'chai';
import ts from 'typescript';

import '../helpers/index.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const lib = join(root, 'lib');
const declarations = ['addon.ts', 'queue-functions.ts', 'memory-functions.ts'].map((file) => join(lib, 'native', file));

/** The members of an object, by their names: what `typeof` says of each, or its own members. */
interface Shape {
  [name: string]: string | Shape;
}

function loadProgram(): ts.Program {
  const config = ts.readConfigFile(join(root, 'tsconfig.json'), ts.sys.readFile.bind(ts.sys)) as { config: unknown };
  const { options } = ts.parseJsonConfigFileContent(config.config, ts.sys, root);
  return ts.createProgram(ts.sys.readDirectory(lib, ['.ts']), options);
}

/** The interface `Native` and those it refers to, read from the source. */
class Declared {
  readonly shape: Shape;
  /** Every declared function, by its full name. */
  readonly functions = new Map<ts.Node, string>();
  readonly #interfaces: ReadonlyMap<string, ts.InterfaceDeclaration>;

  constructor(sources: readonly ts.SourceFile[]) {
    const interfaces = sources.flatMap(({ statements }) => statements.filter(ts.isInterfaceDeclaration));
    this.#interfaces = new Map(interfaces.map((each) => [each.name.text, each]));
    const native = this.#interfaces.get('Native');
    if (native === undefined) throw new Error('No file declares the interface "Native"');
    this.shape = this.#shapeOf(native.members, 'native');
  }

  #shapeOf(members: ts.NodeArray<ts.TypeElement>, path: string): Shape {
    return Object.fromEntries(
      members.map((member) => {
        const name = (member.name as ts.Identifier).text;
        return [name, this.#kindOf(member, `${path}.${name}`)];
      }),
    );
  }

  #kindOf(member: ts.TypeElement, path: string): string | Shape {
    if (ts.isMethodSignature(member)) {
      this.functions.set(member, path);
      return 'function';
    }
    const type = ts.isPropertySignature(member) ? member.type : undefined;
    if (type === undefined) throw new Error(`${path} has no type`);
    if (ts.isTypeLiteralNode(type)) return this.#shapeOf(type.members, path);
    const text = type.getText();
    const named = this.#interfaces.get(text);
    return named === undefined ? text : this.#shapeOf(named.members, path);
  }
}

/** Those of the functions that some file of lib/ uses by name. */
function findUsed(program: ts.Program, functions: ReadonlyMap<ts.Node, string>): ReadonlySet<ts.Node> {
  const checker = program.getTypeChecker();
  // Types are computed for these names alone: that of every name would take several times as long.
  const names = new Set([...functions.keys()].map((each) => ((each as ts.MethodSignature).name as ts.Identifier).text));
  const used = new Set<ts.Node>();
  const use = (symbol: ts.Symbol | undefined): void => {
    for (const declaration of symbol?.declarations ?? []) used.add(declaration);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isPropertyAccessExpression(node)) {
      if (names.has(node.name.text)) use(checker.getSymbolAtLocation(node.name));
    } else if (ts.isBindingElement(node) && ts.isObjectBindingPattern(node.parent)) {
      const name = node.propertyName ?? node.name;
      if (ts.isIdentifier(name) && names.has(name.text)) {
        use(checker.getTypeAtLocation(node.parent).getProperty(name.text));
      }
    }
    ts.forEachChild(node, visit);
  };
  for (const file of program.getSourceFiles()) {
    if (file.fileName.startsWith(lib)) visit(file);
  }
  return used;
}

/** What a freshly loaded addon exports. In a thread of its own, since lib/ may have added to the one of this thread. */
async function loadedShape(): Promise<Shape> {
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    const shapeOf = (object) => Object.fromEntries(
      Object.entries(object).map(([name, value]) => [name, typeof value === 'object' ? shapeOf(value) : typeof value]),
    );
    void import(workerData).then(({ loadAddon }) => parentPort.postMessage(shapeOf(loadAddon())));
  `;
  const worker = new Worker(program, { eval: true, workerData: import.meta.resolve('#lib/native/load-addon.js') });
  const [shape] = (await once(worker, 'message')) as [Shape];
  await worker.terminate();
  return shape;
}

describe('The native functions', () => {
  let program: ts.Program;
  let declared: Declared;

  before(() => {
    program = loadProgram();
    // This also tells each node its parent.
    program.getTypeChecker();
    declared = new Declared(declarations.map((file) => program.getSourceFile(file) as ts.SourceFile));
  });

  it('each have a caller in lib/', () => {
    expect(declared.functions.size).to.be.greaterThan(80);
    const used = findUsed(program, declared.functions);
    const problems = [...declared.functions]
      .filter(([declaration]) => !used.has(declaration))
      .map(([, name]) => `${name}() has no caller in lib/: call it, or remove it there and in native/.`);
    expect(problems.join('\n')).to.equal('');
  });

  it('and constants are declared as the addon exports them', async () => {
    expect(await loadedShape()).to.deep.equal(declared.shape);
  });
});
