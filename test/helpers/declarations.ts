// SPDX-License-Identifier: MIT
//
// The declarations of an entry of the package, as the compiler of a user reads them.
import { join } from 'node:path';

import ts from 'typescript';

import { packageRoot } from './environment.js';

export interface Declarations {
  readonly checker: ts.TypeChecker;
  readonly source: ts.SourceFile;
}

const known = new Map<string, Declarations>();

/** @param entry `index`, `managers` or `redis`. */
export function declarations(entry: string): Declarations {
  const read = known.get(entry) ?? readDeclarations(entry);
  known.set(entry, read);
  return read;
}

function readDeclarations(entry: string): Declarations {
  const file = join(packageRoot, 'dist', `${entry}.d.cts`);
  const program = ts.createProgram([file], {
    strict: true,
    skipLibCheck: true,
    target: ts.ScriptTarget.ES2023,
    module: ts.ModuleKind.Node16,
    types: ['node'],
    typeRoots: [join(packageRoot, 'node_modules/@types')],
  });
  return { checker: program.getTypeChecker(), source: program.getSourceFile(file) as ts.SourceFile };
}

/** A method of an exported class, static or not. */
export interface Method {
  /** The exported class. */
  readonly of: string;
  /** The class that declares it, which may be one that `of` extends. */
  readonly from: string;
  /** Its name, without the rest of the compiler's name for a symbol: `asyncDispose`, `asyncIterator`. */
  readonly name: string;
  readonly signatures: readonly ts.Signature[];
}

/** The symbols that an entry exports, without the names by which it does. */
function exportsOf({ checker, source }: Declarations): ts.Symbol[] {
  return checker
    .getExportsOfModule(checker.getSymbolAtLocation(source) as ts.Symbol)
    .map((symbol) => ((symbol.flags & ts.SymbolFlags.Alias) !== 0 ? checker.getAliasedSymbol(symbol) : symbol));
}

/** All methods of the classes of an entry, without those that a class inherits from one of Node. */
export function methodsOf(entry: string): Method[] {
  const { checker, source } = declarations(entry);
  const found: Method[] = [];
  for (const symbol of exportsOf({ checker, source })) {
    if ((symbol.flags & ts.SymbolFlags.Class) === 0) continue;
    for (const type of [checker.getDeclaredTypeOfSymbol(symbol), checker.getTypeOfSymbolAtLocation(symbol, source)]) {
      for (const member of type.getProperties()) {
        const declaration = member.declarations?.[0];
        if (declaration?.getSourceFile() !== source) continue;
        const signatures = checker.getTypeOfSymbolAtLocation(member, source).getCallSignatures();
        if (signatures.length === 0) continue;
        const from = (declaration.parent as ts.ClassDeclaration).name?.text ?? symbol.name;
        const name = /^__@(\w+)@/.exec(member.name)?.[1] ?? member.name;
        found.push({ of: symbol.name, from, name, signatures });
      }
    }
  }
  return found;
}

/** Whether a call may return an object of one of these types. */
export function returns(signatures: readonly ts.Signature[], names: readonly string[]): boolean {
  const types = signatures.map((signature) => signature.getReturnType());
  return types
    .flatMap((type) => (type.isUnion() ? type.types : [type]))
    .some(({ symbol }) => names.includes(symbol?.name));
}

/** The methods of the classes of an entry that return promises, as `Class.method`; those of symbols as `Class.asyncDispose`. */
export function promisingMethods(entry: string): string[] {
  return methodsOf(entry)
    .filter(({ signatures }) => returns(signatures, ['Promise']))
    .map(({ of, name }) => `${of}.${name}`);
}

/** The exported functions of an entry that return promises. */
export function promisingFunctions(entry: string): string[] {
  const { checker, source } = declarations(entry);
  return exportsOf({ checker, source })
    .filter(({ flags }) => (flags & ts.SymbolFlags.Function) !== 0)
    .filter((symbol) => returns(checker.getTypeOfSymbolAtLocation(symbol, source).getCallSignatures(), ['Promise']))
    .map(({ name }) => name);
}
