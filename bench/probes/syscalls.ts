// SPDX-License-Identifier: MIT
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { compiledModule } from '../paths.js';
import { runForJson } from '../run-program.js';

export const writes = ['write', 'writev', 'pwritev2', 'sendto', 'sendmsg'];
export const reads = ['read', 'readv', 'preadv2', 'recvfrom', 'recvmsg'];
const waits = ['poll', 'ppoll', 'epoll_ctl', 'epoll_wait', 'epoll_pwait'];
const traced = [...writes, ...reads, ...waits].join(',');

interface Case {
  readonly kind: 'socketpair' | 'pipe';
  readonly style: 'sync' | 'async' | 'two-processes';
  readonly sizeBytes: number;
  readonly readAhead: boolean;
}

export interface SyscallCount extends Case {
  /** System calls per message by name, of the main thread of the sender, or of the only process. */
  readonly calls: Readonly<Record<string, number>>;
}

export const KiB = 1024;
const cases: readonly Case[] = (['socketpair', 'pipe'] as const).flatMap((kind) => [
  ...[64, 32 * KiB].flatMap((sizeBytes) =>
    (['sync', 'async'] as const).flatMap((style) =>
      [false, true].map((readAhead) => ({ kind, style, sizeBytes, readAhead })),
    ),
  ),
  { kind, style: 'two-processes', sizeBytes: KiB * KiB, readAhead: true } as const,
]);

/** The count is the difference of two runs, which takes starting and stopping out. */
const fewMessages = 200;
const manyMessages = 1200;
/** The event loop's own turns add a call now and then. */
export const tolerance = 0.02;

/** @returns Why system calls cannot be counted here, or nothing. */
export function whyNoSyscalls(): string | undefined {
  const { error, status } = spawnSync('strace', ['-e', 'trace=none', '-o', '/dev/null', 'true']);
  return error?.message ?? (status === 0 ? undefined : 'strace may not trace here');
}

export async function countSyscalls(folder: string, progress: (line: string) => void): Promise<SyscallCount[]> {
  const results: SyscallCount[] = [];
  for (const item of cases) {
    progress(`system calls: ${describe(item)}`);
    const few = await trace(item, fewMessages, folder);
    const many = await trace(item, manyMessages, folder);
    const calls: Record<string, number> = {};
    for (const [name, count] of many) {
      const each = (count - (few.get(name) ?? 0)) / (manyMessages - fewMessages);
      if (each > tolerance) calls[name] = each;
    }
    results.push({ ...item, calls });
  }
  return results;
}

export function describe({ kind, style, sizeBytes, readAhead }: Case): string {
  const size = sizeBytes < KiB ? `${sizeBytes} B` : `${sizeBytes / KiB} KiB`;
  return style === 'two-processes'
    ? `${size}, ${kind}, sync sender to another process`
    : `${size}, ${kind}, ${style}, ${readAhead ? 'reading ahead' : 'not reading ahead'}`;
}

async function trace(item: Case, count: number, folder: string): Promise<Map<string, number>> {
  const log = path.join(folder, 'strace.log');
  const output = await runForJson([
    ...['strace', '-f', '-qq', '-e', 'signal=none', '-e', `trace=${traced}`, '-o', log],
    ...[process.execPath, compiledModule('probes/exchange')],
    ...[item.kind, item.style, item.sizeBytes, count, item.readAhead].map(String),
  ]);
  const { pid } = output as { pid: number };
  const counts = new Map<string, number>();
  // strace prints a call that another thread interrupts twice. Only its first line has the opening bracket after the
  // name.
  for (const [, name = ''] of readFileSync(log, 'utf8').matchAll(new RegExp(`^${pid} +(\\w+)\\(`, 'gm'))) {
    counts.set(name, (counts.get(name) ?? 0) + 1);
  }
  return counts;
}
