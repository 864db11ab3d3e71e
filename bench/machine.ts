// SPDX-License-Identifier: MIT
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import os from 'node:os';

/** What a reader needs to know to judge the figures. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly kernel: string;
  readonly node: string;
  readonly python: string | undefined;
  readonly compiler: string | undefined;
  readonly date: string;
  /** The load when the benchmark began. Above a few tenths, only the ratios count. */
  readonly loadAverage: number;
}

function firstLine(command: string, ...args: string[]): string | undefined {
  const { status, stdout } = spawnSync(command, args, { encoding: 'utf8' });
  return status === 0 ? stdout.split('\n')[0] : undefined;
}

export function describeMachine(): Machine {
  return {
    cpu: os.cpus()[0]?.model ?? 'unknown',
    cores: os.availableParallelism(),
    kernel: `${os.type()} ${os.release()} ${os.arch()}`,
    node: process.version,
    python: firstLine('python3', '--version'),
    compiler: firstLine('gcc', '--version'),
    date: new Date().toISOString(),
    loadAverage: os.loadavg()[0] ?? 0,
  };
}

export function machineLines(machine: Machine): string[] {
  const { cpu, cores, kernel, node, python, compiler, date, loadAverage } = machine;
  return [
    `${cpu}, ${cores} cores, ${kernel}, load average ${loadAverage.toFixed(1)} at the start`,
    [`Node.js ${node}`, python, compiler, date].filter((part) => part !== undefined).join(', '),
  ];
}

/**
 * The command that keeps a trial and its children on one core.
 *
 * @returns Undefined where there is no such command.
 */
export function oneCorePrefix(): readonly string[] | undefined {
  if (firstLine('taskset', '--version') === undefined) return undefined;
  // A container may not own core 0, so the first core that is allowed is taken.
  const allowed = /^Cpus_allowed_list:\s*(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  return allowed === undefined ? undefined : ['taskset', '-c', allowed];
}
