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

/** @param entry `index`, `managers` or `redis`. */
export function declarations(entry: string): Declarations {
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

/** The methods of the classes of an entry that return promises, as `Class.method`; those of symbols as `Class.asyncDispose`. */
export function promisingMethods(entry: string): string[] {
  const { checker, source } = declarations(entry);
  const found: string[] = [];
  for (const exported of checker.getExportsOfModule(checker.getSymbolAtLocation(source) as ts.Symbol)) {
    const symbol = (exported.flags & ts.SymbolFlags.Alias) !== 0 ? checker.getAliasedSymbol(exported) : exported;
    if ((symbol.flags & ts.SymbolFlags.Class) === 0) continue;
    for (const type of [checker.getDeclaredTypeOfSymbol(symbol), checker.getTypeOfSymbolAtLocation(symbol, source)]) {
      for (const member of type.getProperties()) {
        if (member.declarations?.[0]?.getSourceFile() !== source) continue;
        const signatures = checker.getTypeOfSymbolAtLocation(member, source).getCallSignatures();
        const promises = signatures.some((signature) => signature.getReturnType().symbol?.name === 'Promise');
        const name = member.name.includes('asyncDispose') ? 'asyncDispose' : member.name;
        if (promises) found.push(`${symbol.name}.${name}`);
      }
    }
  }
  return found;
}
