// SPDX-License-Identifier: MIT
import { parseArgs } from 'node:util';

export interface Options {
  /** Prefixes of trial, workload and probe ids; empty for the default selection. */
  readonly only: readonly string[];
  readonly repetitions: number;
  readonly warmUpMs: number;
  readonly measuredMs: number;
  readonly syscalls: boolean;
  readonly plot: boolean;
  /** A file, or `-` for standard output; the tables then go to standard error. */
  readonly json: string | undefined;
  readonly help: boolean;
}

export const usage = `npm run bench -- [options]

  --only <ids>    Comma-separated prefixes of peers, workloads and probes, for example --only sync,c/,round-trip-64
  --reps <n>      Repetitions of each trial (default 5), interleaved with those of the others
  --quick         Two short repetitions: shows that everything runs, not how fast
  --syscalls      Count system calls per message as well (needs strace)
  --plot          Draw bench/results/{round-trip,one-way,summary}.svg
  --json [file]   Write everything measured as JSON, to standard output without a file
  --help          This text`;

/** Gives a bare `--json` its value, because `parseArgs` knows no option whose value may be left out. */
function withJsonTarget(args: readonly string[]): string[] {
  return args.map((arg, i) => (arg === '--json' && (args[i + 1] ?? '--').startsWith('--') ? '--json=-' : arg));
}

export function parseOptions(args: readonly string[]): Options {
  const { values } = parseArgs({
    args: withJsonTarget(args),
    options: {
      only: { type: 'string', multiple: true, default: [] },
      reps: { type: 'string' },
      quick: { type: 'boolean', default: false },
      syscalls: { type: 'boolean', default: false },
      plot: { type: 'boolean', default: false },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  const repetitions = Number(values.reps ?? (values.quick ? 2 : 5));
  if (!Number.isInteger(repetitions) || repetitions < 1)
    throw new RangeError(`--reps must be a positive integer, not ${values.reps}`);
  return {
    only: values.only.flatMap((list) => list.split(',')).filter((id) => id !== ''),
    repetitions,
    warmUpMs: values.quick ? 30 : 400,
    measuredMs: values.quick ? 40 : 100,
    syscalls: values.syscalls,
    plot: values.plot,
    json: values.json,
    help: values.help,
  };
}
