#!/usr/bin/env node
// SPDX-License-Identifier: MIT
//
// npx node-multiprocessing. Each command loads what it needs when it runs, so that the usage is shown without an addon.
import { readFileSync } from 'node:fs';

import { Command, CommanderError, InvalidArgumentError } from 'commander';

import { print } from './text.js';
import type { WorkerCommand } from './worker.js';

interface Json {
  readonly json?: boolean;
}

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

/** An hour. */
const LONGEST_INTERVAL = 3_600_000;

/** The exit code for a wrong command line. */
const WRONG_USAGE = 2;

const program = new Command('node-multiprocessing')
  .description('Looks at what the processes of this user share, and removes what killed ones have left.')
  .version(manifest.version, '--version', 'prints the version')
  .usage('<command> [options]')
  .helpOption('-h, --help', 'prints this, or the help of a command')
  .helpCommand('help [command]', 'prints the help of a command')
  .showHelpAfterError()
  .exitOverride()
  .configureHelp({ showGlobalOptions: true });

interface TopOptions {
  readonly once?: boolean;
  readonly interval: number;
}

function milliseconds(text: string): number {
  const value = Number(text);
  if (value >= 1 && value <= LONGEST_INTERVAL) return value;
  throw new InvalidArgumentError(`It must be from 1 to ${LONGEST_INTERVAL}.`);
}

/** Adds a command. */
function plainCommand(name: string, description: string): Command {
  return program
    .command(name)
    .description(description)
    .helpOption('-h, --help', 'prints this')
    .showHelpAfterError()
    .exitOverride();
}

/** Adds a command that prints something, with `--json` as JSON. */
function command(name: string, description: string): Command {
  return plainCommand(name, description).option('--json', 'prints JSON instead of text');
}

command('doctor', 'checks whether this system has what the package needs; exit code 1 if it has not').action(
  async ({ json = false }: Json) => {
    const [{ examine }, { showReport }] = await Promise.all([import('./doctor.js'), import('./doctor-text.js')]);
    const report = await examine();
    print(report, json, showReport);
    process.exitCode = report.healthy ? 0 : 1;
  },
);

command('list', 'shows the semaphores of this user, by family, and the members of each family').action(
  async ({ json = false }: Json) => {
    const [{ listFamilies }, { showListing }] = await Promise.all([
      import('./families.js'),
      import('./families-text.js'),
    ]);
    print(listFamilies(), json, showListing);
  },
);

command('sweep', 'removes the semaphores of families whose processes have all ended')
  .option('--dry-run', 'shows what would be removed, and removes nothing')
  .action(async ({ json = false, dryRun = false }: Json & { readonly dryRun?: boolean }) => {
    const [{ sweepFamilies }, { showSwept }] = await Promise.all([
      import('./families.js'),
      import('./families-text.js'),
    ]);
    print(sweepFamilies(dryRun), json, showSwept);
  });

command('holders', 'shows which processes hold which end of a pipe or socket')
  .argument(
    '<pid|path>',
    'a process, for the pipes and sockets of it and its descendants; or the path of a file, a FIFO or a /proc/<pid>/fd/<n>',
  )
  .action(async (subject: string, { json = false }: Json) => {
    const [{ findHolders }, { showHolders }] = await Promise.all([import('./holders.js'), import('./holders-text.js')]);
    print(findHolders(subject), json, showHolders);
  });

command('top', 'shows the processes, pools, queues and locks of this user, again and again until Ctrl-C')
  .option('--once', 'shows them once, after one interval')
  .option('--interval <ms>', 'the time between two looks, in milliseconds', milliseconds, 1000)
  .action(async ({ json = false, once = false, interval }: Json & TopOptions) => {
    const [{ samples }, { onTerminal, showSample }] = await Promise.all([import('./top.js'), import('./top-text.js')]);
    const { stdout } = process;
    if (stdout.isTTY && !json && !once) stdout.write('\x1b[2J');
    for await (const sample of samples(interval)) {
      if (once) {
        print(sample, json, showSample);
        return;
      }
      const text = json ? `${JSON.stringify(sample)}\n` : `${showSample(sample)}\n`;
      stdout.write(stdout.isTTY && !json ? onTerminal(text, stdout.columns, stdout.rows) : text);
    }
  });

command('bench', 'compares round trips of small messages with process.send and postMessage, in about ten seconds')
  .option('--quick', 'takes about two seconds')
  .action(async ({ json = false, quick = false }: Json & { readonly quick?: boolean }) => {
    const [{ compareWays }, { showComparison }] = await Promise.all([import('./bench.js'), import('./bench-text.js')]);
    print(await compareWays(quick ? 100 : 500), json, showComparison);
  });

command('include-path', 'prints the folder of the C headers, for the option -I of a compiler').action(
  async ({ json = false }: Json) => {
    const { includePath } = await import('./include-path.js');
    print({ path: includePath }, json, ({ path }) => `${path}\n`);
  },
);

plainCommand('worker', 'runs the tasks of the RedisPools of a name, until SIGINT or SIGTERM')
  .requiredOption('--redis <url>', 'where Redis is; the client is redis, ioredis or iovalkey, as installed here')
  .requiredOption('--name <name>', 'the name of the pools')
  .requiredOption('--module <file>', 'the module that exports the function')
  .requiredOption('--target <export>', 'the function')
  .option('--processes <number>', 'how many tasks run at a time; default: the number of CPUs')
  .option('--serialization <format>', 'structured or json; default: that of the first pool')
  .option('--prefix <text>', 'what the keys in Redis begin with')
  .option('--lease-time <ms>', 'as that of the pools; default: 30000')
  .action(async (options: WorkerCommand) => {
    const { runWorker } = await import('./worker.js');
    await runWorker(options);
  });

process.stdout.on('error', ({ code, message }: NodeJS.ErrnoException) => {
  // The reader of a pipe may have enough.
  if (code === 'EPIPE') process.exit();
  process.stderr.write(`node-multiprocessing: ${message}\n`);
  process.exit(1);
});

try {
  await program.parseAsync();
} catch (error) {
  if (error instanceof CommanderError) {
    process.exitCode = error.exitCode === 0 ? 0 : WRONG_USAGE;
  } else {
    process.stderr.write(`node-multiprocessing: ${(error as Error).message}\n`);
    // Not process.exit(), which would drop the output that a pipe has not accepted yet.
    process.exitCode = 1;
  }
}
