// SPDX-License-Identifier: MIT
import { types } from 'node:util';

/** The classes of errors that have a tag. All others arrive as Error. */
const classTags: Readonly<Record<string, number>> = {
  EvalError: 0x45,
  RangeError: 0x52,
  ReferenceError: 0x46,
  SyntaxError: 0x53,
  TypeError: 0x54,
  URIError: 0x55,
};

/** The parts of an error in V8's format. A part is undefined if the error lacks it. */
export interface ErrorParts {
  readonly classTag: number | undefined;
  readonly message: string | undefined;
  readonly stack: string | undefined;
  readonly cause: { readonly value: unknown } | undefined;
}

/** Whether an object is an error of JavaScript or of the platform, in any realm. */
export function isErrorObject(object: object): boolean {
  return types.isNativeError(object) || object instanceof DOMException;
}

/** An own property that is no getter: V8 takes the message and the cause from such a property only. */
function ownValue(error: object, key: string): { readonly value: unknown } | undefined {
  const property = Object.getOwnPropertyDescriptor(error, key);
  return property !== undefined && 'value' in property ? { value: property.value as unknown } : undefined;
}

export function partsOf(error: object): ErrorParts {
  const { name, stack } = error as Partial<Error>;
  // An error of the platform has its message in a getter.
  const message = ownValue(error, 'message') ?? (error instanceof DOMException ? { value: error.message } : undefined);
  const tag = String(name);
  return {
    classTag: Object.hasOwn(classTags, tag) ? classTags[tag] : undefined,
    message: message && String(message.value),
    stack: typeof stack === 'string' ? stack : undefined,
    cause: ownValue(error, 'cause'),
  };
}
