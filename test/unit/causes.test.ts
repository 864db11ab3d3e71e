// SPDX-License-Identifier: MIT
//
// An error that another error has caused carries it as its `cause`: read from the sources, so that no new place forgets it.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';
import ts from 'typescript';

import { packageRoot } from '../helpers/index.js';

const lib = join(packageRoot, 'lib');

/** Errors without a cause that a `catch` makes, as `file: expression`, with the reason above each. */
const EXCEPTIONS: readonly string[] = [
  // The same error again, which also says whether the message was begun, or how much of it has arrived.
  'connection/object-message.ts: new TruncatedMessageError(received, this.#count)',
  'connection/sending/sender.ts: new TimeoutError(operation, begun)',
  'connection/sending/sender.ts: new InterruptedError(operation, begun)',
  // The same end of the time under the name of the call that the user made: a step of it knows another name.
  'adapters/managers/client.ts: new TimeoutError(this.#operation)',
  'queues/arriving-item.ts: new Empty()',
  // The same errno under the name of the call that the user made, without the path that was tried for it.
  'process/program.ts: systemError(errno, syscall, detail)',
];

/** The values that an expression may have. */
function valuesOf(expression: ts.Expression): ts.Expression[] {
  if (!ts.isConditionalExpression(expression)) return [expression];
  return [...valuesOf(expression.whenTrue), ...valuesOf(expression.whenFalse)];
}

/** Whether a caught error is passed on whole to the one that is made. */
function hasCause(made: ts.CallExpression | ts.NewExpression, caught: string): boolean {
  return (made.arguments ?? ([] as readonly ts.Expression[])).some(
    (argument) =>
      (ts.isIdentifier(argument) && [caught, 'options'].includes(argument.text)) ||
      /\bcause\b/.test(argument.getText()),
  );
}

/** The errors that the clauses of a file make, to throw or to return them, without the caught one as their cause. */
function causeless(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(join(lib, file), 'utf8'), ts.ScriptTarget.Latest, true);
  const found: string[] = [];
  const visit = (node: ts.Node, caught: string | undefined): void => {
    const isThrow = ts.isThrowStatement(node);
    if (caught !== undefined && (isThrow || ts.isReturnStatement(node)) && node.expression !== undefined) {
      for (const value of valuesOf(node.expression)) {
        if (!ts.isCallExpression(value) && !ts.isNewExpression(value)) continue;
        if (!isThrow && !/Error$/.test(value.expression.getText())) continue;
        if (!hasCause(value, caught)) found.push(`${file}: ${value.getText()}`);
      }
    }
    const name = ts.isCatchClause(node) ? node.variableDeclaration?.name.getText() : undefined;
    ts.forEachChild(node, (child) => {
      visit(child, name ?? caught);
    });
  };
  visit(source, undefined);
  return found;
}

describe('An error that another error caused', () => {
  it('carries it as its cause', () => {
    const files = readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter((name) => /(?<!\.d)\.ts$/.test(name));
    expect(files.flatMap(causeless)).to.have.members(EXCEPTIONS);
  });
});
