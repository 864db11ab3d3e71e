// SPDX-License-Identifier: MIT
//
// The packages that hold the compiled addon, one for each kind of system. They are optional dependencies, of which a package
// manager installs those that fit.
import { createRequire } from 'node:module';

const require = createRequire(import.meta.filename);

/** Each name is written out, since tools that gather the files of a program read them. */
const PACKAGES: Readonly<Record<string, () => string>> = {
  'linux-x64-gnu': () => require.resolve('@node-multiprocessing/linux-x64-gnu'),
  'linux-x64-musl': () => require.resolve('@node-multiprocessing/linux-x64-musl'),
  'linux-arm64-gnu': () => require.resolve('@node-multiprocessing/linux-arm64-gnu'),
  'linux-arm64-musl': () => require.resolve('@node-multiprocessing/linux-arm64-musl'),
  'darwin-x64': () => require.resolve('@node-multiprocessing/darwin-x64'),
  'darwin-arm64': () => require.resolve('@node-multiprocessing/darwin-arm64'),
};

/** The kinds of systems for which there can be a package, as the last part of its name. */
export const targets: readonly string[] = Object.keys(PACKAGES);

/** The C library of this process. The report of the runtime names the version of glibc exactly when there is one. */
function libc(): 'gnu' | 'musl' {
  const { report } = process as { report?: { excludeNetwork?: boolean; getReport(): object } };
  if (report === undefined) return 'gnu';
  const before = report.excludeNetwork;
  // Without this the report looks up the names of all open sockets, which can take seconds.
  report.excludeNetwork = true;
  const { header } = report.getReport() as { header?: { glibcVersionRuntime?: string } };
  if (before !== undefined) report.excludeNetwork = before;
  return header?.glibcVersionRuntime === undefined ? 'musl' : 'gnu';
}

/** The kind of this system. */
export function thisTarget(): string {
  const name = `${process.platform}-${process.arch}`;
  return process.platform === 'linux' ? `${name}-${libc()}` : name;
}

/** The name of the package for a kind of system. */
export function packageOf(target: string): string {
  return `@node-multiprocessing/${target}`;
}

/** The addon in the installed package for a kind of system; undefined if that package is not installed. */
export function installedAddon(target: string): string | undefined {
  try {
    return PACKAGES[target]?.();
  } catch {
    return undefined;
  }
}
