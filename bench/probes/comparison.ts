// SPDX-License-Identifier: MIT
//
// What a probe that compares ways to do the same thing is made of.
import { spawnSync } from 'node:child_process';

import { compiledModule, installed, peerSource } from '../paths.js';

/**
 * One way to do an operation. Its command gets two more arguments: the warm-up and the measured time in milliseconds.
 */
export interface Way {
  readonly label: string;
  readonly command: readonly string[];
  /** The package of bench/packages that it needs. */
  readonly package?: string;
  /** The program that it needs. */
  readonly program?: string;
}

/** What a way needs and this machine lacks, if anything. */
export function whatLacks({ package: needed, program }: Way): string | undefined {
  if (program !== undefined && spawnSync(program, ['--version']).error !== undefined) return `needs ${program}`;
  if (needed !== undefined && installed(needed) === undefined) return `needs ${needed}: npm run bench:install`;
  return undefined;
}

export interface Comparison {
  /** What is done once per sample. */
  readonly operation: string;
  readonly ways: readonly Way[];
  /** The label of the way by whose time the table divides the others. */
  readonly yardstick: string;
}

/** A promise: `ours` takes at most `limit` times as long as `theirs`, and `extraNs` more. */
export interface Claim {
  readonly claim: string;
  readonly operation: string;
  readonly ours: string;
  readonly theirs: string;
  readonly limit: number;
  readonly extraNs?: number;
}

export interface ComparisonProbe {
  readonly title: string;
  readonly comparisons: readonly Comparison[];
  readonly claims: readonly Claim[];
}

/** A program of bench/probes, without its last two arguments. */
export const node = (module: string, ...args: string[]): readonly string[] => [
  process.execPath,
  compiledModule(`probes/${module}`),
  ...args,
];
/** One of bench/peers. */
export const python = (file: string, ...args: string[]): readonly string[] => ['python3', peerSource(file), ...args];
