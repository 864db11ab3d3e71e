// SPDX-License-Identifier: MIT
//
// No loop of awaits may keep timers and all other I/O from running, whatever the calls answer. Calls that take something
// wait for a turn before they try, in their order (`takeTurn`). All others are counted here, when they have answered.
import { nextTurn } from './next-turn.js';

import { addMethod } from '../core/user-stack.js';
import { operations, takeTurn } from './reactor.js';

export { operations };

type Method = (this: unknown, ...args: unknown[]) => unknown;

function ignore(): void {
  // The failure reaches the caller by the promise that waits for the turn.
}

async function afterTurn<T>(answer: Promise<T>): Promise<T> {
  answer.catch(ignore);
  await nextTurn();
  return await answer;
}

/**
 * The answer of a call, which comes a turn of the event loop later now and then.
 *
 * @param before What `operations` returned before the call. A call that has counted itself is not counted again.
 */
export function inTurn<T>(answer: Promise<T>, before: number): Promise<T> {
  return operations() !== before || takeTurn() ? answer : afterTurn(answer);
}

/**
 * Makes the asynchronous methods of a class fair. These are the methods that have a blocking twin, whose name ends in
 * `Sync`, and those named here.
 */
export function makeFair(prototype: object, ...others: readonly (string | symbol)[]): void {
  const names = Object.getOwnPropertyNames(prototype).filter((name) => `${name}Sync` in prototype);
  for (const name of [...names, ...others]) {
    const property = Object.getOwnPropertyDescriptor(prototype, name);
    const method = property?.value as Method;
    // Both have the same name: stack traces show it, and the user's call is found by it, in calls that have waited by the method.
    addMethod(method);
    const fair = {
      // No method has more parameters. An array of the arguments would take longer than a small message.
      [name](this: unknown, a?: unknown, b?: unknown, c?: unknown, d?: unknown) {
        const before = operations();
        return inTurn(method.call(this, a, b, c, d) as Promise<unknown>, before);
      },
    };
    Object.defineProperty(prototype, name, { ...property, value: fair[name as string] });
  }
}
