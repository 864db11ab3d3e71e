// SPDX-License-Identifier: MIT
import { fileURLToPath } from 'node:url';

/** The folder of the C headers. The relative path is the same from lib/cli/ and from dist/cli/. */
export const includePath = fileURLToPath(new URL('../../interop/c', import.meta.url));
