// SPDX-License-Identifier: MIT
//
// Reads which file imports which, and compares that with a list of layers. Every finding is a sentence.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path/posix';

import ts from 'typescript';

import type { Layers } from '../../../scripts/layers.mjs';

/** The imports of each file below a root. All paths are relative to that root. */
export type Graph = ReadonlyMap<string, readonly string[]>;

/** The modules that a TypeScript file names: in imports of values and types, in exports, in `import()` and in `require()`. */
export function importsOf(text: string): string[] {
  const names: string[] = [];
  const add = (node: ts.Node | undefined): void => {
    if (node !== undefined && ts.isStringLiteralLike(node)) names.push(node.text);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) add(node.moduleSpecifier);
    else if (ts.isExternalModuleReference(node)) add(node.expression);
    else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) add(node.argument.literal);
    else if (ts.isCallExpression(node)) {
      const { expression } = node;
      const loads = ts.isIdentifier(expression) && expression.text === 'require';
      if (loads || expression.kind === ts.SyntaxKind.ImportKeyword) add(node.arguments[0]);
    }
    ts.forEachChild(node, visit);
  };
  visit(ts.createSourceFile('module.ts', text, ts.ScriptTarget.Latest));
  return names;
}

/** The files that a C++ file includes by `#include "..."`. */
export function includesOf(text: string): string[] {
  return [...text.matchAll(/^[ \t]*#[ \t]*include[ \t]+"([^"]+)"/gm)].map(([, name]) => name!);
}

/** The source files below a folder, relative to it. */
function sources(folder: string, pattern: RegExp): string[] {
  return (readdirSync(folder, { recursive: true }) as string[]).filter((file) => pattern.test(file)).sort();
}

/**
 * The imports among the TypeScript files below a folder.
 *
 * @throws If a file imports a module of the folder that does not exist.
 */
export function readImports(folder: string): Graph {
  const resolve = (file: string, name: string): string[] => {
    if (!name.startsWith('.')) return [];
    const found = normalize(join(dirname(file), name));
    // The addon, for one, is outside of the folder and has no source in it.
    if (found.startsWith('../') || !found.endsWith('.js')) return [];
    const source = found.replace(/js$/, 'ts');
    const declaration = found.replace(/js$/, 'd.ts');
    // The build makes a module of a source in another language, which a declaration describes.
    return [existsSync(join(folder, declaration)) ? declaration : source];
  };
  return readGraph(folder, /\.ts$/, (file, text) => importsOf(text).flatMap((name) => resolve(file, name)));
}

/**
 * The includes among the C++ files below a folder, but for its tests.
 *
 * @throws If a file includes another one that does not exist. System headers are named in angle brackets.
 */
export function readIncludes(folder: string): Graph {
  return readGraph(folder, /^(?!test\/).*\.(cc|h)$/, (_, text) => includesOf(text));
}

function readGraph(folder: string, pattern: RegExp, namesIn: (file: string, text: string) => string[]): Graph {
  const files = sources(folder, pattern);
  return new Map(
    files.map((file) => {
      const names = new Set(namesIn(file, readFileSync(join(folder, file), 'utf8')));
      for (const name of names) {
        if (!existsSync(join(folder, name))) throw new Error(`${file} imports ${name}, which does not exist`);
      }
      return [file, [...names]];
    }),
  );
}

/** The folder of a file, directly below the root; the file itself if the list names it. */
function folderOf(layers: Layers, file: string): string {
  const isNamed = layers.floors.some((floor) => floor.some(({ name }) => name === file));
  return isNamed ? file : file.split('/')[0]!;
}

/** The folders that each folder may import. */
function allowed(layers: Layers): Map<string, string[]> {
  const below: string[] = [];
  const result = new Map<string, string[]>();
  for (const floor of layers.floors) {
    for (const { name } of floor) {
      const exceptions = layers.exceptions.filter(({ from }) => from === name).map(({ to }) => to);
      result.set(name, [...below, ...exceptions]);
    }
    below.push(...floor.map(({ name }) => name));
  }
  return result;
}

/** A sentence for each import that is not allowed, for each folder that is not listed, and for each that has no files. */
export function wrongImports(layers: Layers, graph: Graph): string[] {
  const { root } = layers;
  const rules = allowed(layers);
  const folders = new Set([...graph.keys()].map((file) => folderOf(layers, file)));
  const unknown = [...folders].filter((folder) => !rules.has(folder));
  const empty = [...rules.keys()].filter((folder) => !folders.has(folder));
  const wrong = [...graph].flatMap(([file, imports]) => {
    const folder = folderOf(layers, file);
    const others = rules.get(folder);
    if (others === undefined) return [];
    const may =
      others.length === 0 ? `${folder} may import no other folder` : `${folder} may import only ${others.join(', ')}`;
    return imports
      .filter((name) => ![folder, ...others, ...unknown].includes(folderOf(layers, name)))
      .map((name) => `${root}/${file} imports ${root}/${name}: ${may}`);
  });
  return [
    ...unknown.map((folder) => `${root}/${folder} belongs to no layer: scripts/layers.mjs does not name it`),
    ...empty.map((folder) => `scripts/layers.mjs names ${root}/${folder}, which has no source file`),
    ...wrong,
  ];
}

/** The folders of the files, each with the folders that it imports. */
export function folderGraph(layers: Layers, graph: Graph): Graph {
  const folders = new Map<string, Set<string>>();
  for (const [file, imports] of graph) {
    const folder = folderOf(layers, file);
    const others = folders.get(folder) ?? new Set();
    for (const name of imports) if (folderOf(layers, name) !== folder) others.add(folderOf(layers, name));
    folders.set(folder, others);
  }
  return new Map([...folders].map(([folder, others]) => [folder, [...others]]));
}

/** The largest sets of nodes that all reach each other, lower ones first. This is Tarjan's algorithm. */
function components(graph: Graph): string[][] {
  const result: string[][] = [];
  const stack: string[] = [];
  const order = new Map<string, number>();
  const lowest = new Map<string, number>();
  const visit = (node: string): void => {
    order.set(node, order.size);
    lowest.set(node, order.get(node)!);
    stack.push(node);
    for (const next of graph.get(node) ?? []) {
      if (!order.has(next)) visit(next);
      if (stack.includes(next)) lowest.set(node, Math.min(lowest.get(node)!, lowest.get(next)!));
    }
    if (lowest.get(node) === order.get(node)) result.push(stack.splice(stack.indexOf(node)));
  };
  for (const node of graph.keys()) if (!order.has(node)) visit(node);
  return result;
}

/** The shortest way from a node back to itself; undefined if there is none. */
function shortestCircle(graph: Graph, start: string): string[] | undefined {
  const ways = [[start]];
  const seen = new Set<string>();
  for (const way of ways) {
    for (const next of graph.get(way.at(-1)!) ?? []) {
      if (next === start) return [...way, start];
      if (!seen.has(next)) ways.push([...way, next]);
      seen.add(next);
    }
  }
  return undefined;
}

/** A sentence for each set of files, or folders, that all reach each other: its shortest circle, and its size. */
export function circles(layers: Layers, graph: Graph): string[] {
  return components(graph).flatMap((component) => {
    const ways = component.map((node) => shortestCircle(graph, node)).filter((way) => way !== undefined);
    const [shortest] = ways.sort((a, b) => a.length - b.length);
    if (shortest === undefined) return [];
    const among =
      component.length + 1 > shortest.length ? `, one among ${component.length} that import each other` : '';
    return [`${shortest.map((node) => `${layers.root}/${node}`).join(' -> ')} is a circle${among}`];
  });
}

/** The floors that a graph needs: the nodes on its longest way. Those of a circle share one floor. */
export function floorsOf(graph: Graph): number {
  const floors = new Map<string, number>();
  for (const component of components(graph)) {
    const below = component.flatMap((node) => graph.get(node) ?? []).filter((node) => !component.includes(node));
    const floor = 1 + Math.max(0, ...below.map((node) => floors.get(node)!));
    for (const node of component) floors.set(node, floor);
  }
  return Math.max(0, ...floors.values());
}
