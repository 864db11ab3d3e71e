// SPDX-License-Identifier: MIT
//
// What the workers of the pools run, as pool_tasks.py.
export function same<T>(value: T): T {
  return value;
}

export default same;
