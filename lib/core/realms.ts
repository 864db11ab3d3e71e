// SPDX-License-Identifier: MIT
import { types } from 'node:util';

/** Whether a value is an error, also one of another realm, such as the vm context of a test runner. */
export function isError(value: unknown): value is Error {
  return types.isNativeError(value) || value instanceof Error;
}
