// SPDX-License-Identifier: MIT
import { closeSync, constants, openSync, readFileSync } from 'node:fs';

import { Pipe } from 'node-multiprocessing';

import { track, type AnyConnection } from './channels.js';

const open = new Set<number>();

/** Registers a bare descriptor that is closed when the test is over. */
export function trackFd(fd: number): number {
  open.add(fd);
  return fd;
}

/** Takes a descriptor off the register, because it has a new owner. */
export function forgetFd(fd: number): number {
  open.delete(fd);
  return fd;
}

/** Called after every test. */
export function closeTrackedFds(): void {
  for (const fd of open) closeSync(fd);
  open.clear();
}

/** A second number for a Connection's descriptor. No Connection owns it, and it is closed when the test is over. */
export function copyFd(connection: AnyConnection): number {
  const [a, b] = Pipe(true) as unknown as [AnyConnection, AnyConnection];
  track(a).sendHandleSync(connection.fileno());
  const fd = track(b).recvHandleSync();
  a.close();
  b.close();
  return trackFd(fd);
}

/** The flags of a descriptor (close-on-exec) and of its open file description (non-blocking). */
export function flagsOf(fd: number): { closeOnExec: boolean; nonBlocking: boolean } {
  const [, octal] = /^flags:\s*(\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8')) ?? [];
  const flags = parseInt(octal ?? '', 8);
  const CLOSE_ON_EXEC = 0o2000000;
  return { closeOnExec: (flags & CLOSE_ON_EXEC) !== 0, nonBlocking: (flags & constants.O_NONBLOCK) !== 0 };
}

/** Opens a file by name. It is closed when the test is over. */
export function openFd(path: string, flags = 'r'): number {
  return trackFd(openSync(path, flags));
}
