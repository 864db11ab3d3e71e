// SPDX-License-Identifier: MIT
//
// A module that uses nothing of the package.
export function seven() {
  process.exitCode = 7;
}
