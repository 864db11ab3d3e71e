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

/** Whether one of the parameters may be an object with a `signal`. */
function takesSignal(entry: string, signatures: readonly ts.Signature[]): boolean {
  const { checker, source } = declarations(entry);
  const types = signatures
    .flatMap(({ parameters }) => parameters)
    .map((parameter) => checker.getNonNullableType(checker.getTypeOfSymbolAtLocation(parameter, source)));
  return types
    .flatMap((type) => (type.isUnion() ? type.types : [type]))
    .some((type) => type.getProperty('signal') !== undefined);
}

/**
 * What takes a signal: the methods of the classes of an entry, each of the class that declares it, and the exported functions.
 * CPython's spellings call them.
 */
export function abortableCalls(entry: string): string[] {
  const { checker, source } = declarations(entry);
  const functions = exportsOf({ checker, source })
    .filter(({ flags }) => (flags & ts.SymbolFlags.Function) !== 0)
    .map((symbol) => ({ name: symbol.name, type: checker.getTypeOfSymbolAtLocation(symbol, source) }))
    .filter(({ type }) => takesSignal(entry, type.getCallSignatures()))
    .map(({ name }) => `${name}()`);
  const methods = methodsOf(entry)
    .filter(({ name, signatures }) => !name.includes('_') && takesSignal(entry, signatures))
    .map(({ from, name }) => `${from}.${name}`);
  return [...new Set([...methods, ...functions])].sort();
}

/** What an asynchronous method returns. */
const ASYNC = ['Promise', 'AsyncGenerator', 'AsyncIterable', 'AsyncIterator', 'AsyncIterableIterator'];

/** The asynchronous methods of the classes of an entry. */
export function asyncMethods(entry: string): Method[] {
  return methodsOf(entry).filter(({ signatures }) => returns(signatures, ASYNC));
}

/** The classes that an entry exports, without those of errors and those of which only others have objects. */
export function concreteClasses(entry: string): string[] {
  const { checker, source } = declarations(entry);
  return exportsOf({ checker, source })
    .filter(({ flags }) => (flags & ts.SymbolFlags.Class) !== 0)
    .filter((symbol) => checker.getDeclaredTypeOfSymbol(symbol).getProperty('stack') === undefined)
    .filter(({ valueDeclaration }) => {
      const modifiers = ts.getCombinedModifierFlags(valueDeclaration as ts.ClassDeclaration);
      return (modifiers & ts.ModifierFlags.Abstract) === 0;
    })
    .map(({ name }) => name);
}

/** The texts of which a property of an exported interface is one. */
export function textsOf(entry: string, name: string, property: string): string[] {
  const { checker, source } = declarations(entry);
  const symbol = exportsOf({ checker, source }).find((exported) => exported.name === name) as ts.Symbol;
  const member = checker.getDeclaredTypeOfSymbol(symbol).getProperty(property) as ts.Symbol;
  const type = checker.getTypeOfSymbolAtLocation(member, source);
  return (type.isUnion() ? type.types : [type]).map((text) => (text as ts.StringLiteralType).value);
}

/** The exported functions of an entry that return promises. */
export function promisingFunctions(entry: string): string[] {
  const { checker, source } = declarations(entry);
  return exportsOf({ checker, source })
    .filter(({ flags }) => (flags & ts.SymbolFlags.Function) !== 0)
    .filter((symbol) => returns(checker.getTypeOfSymbolAtLocation(symbol, source).getCallSignatures(), ['Promise']))
    .map(({ name }) => name);
}
