// SPDX-License-Identifier: MIT
//
// Compiled, never run: the uses that the types of processes must accept, and after each @ts-expect-error a use that
// they must refuse.
import {
  activeChildren,
  type BaseProcess,
  currentProcess,
  type CurrentProcess,
  isMainProcess,
  Lock,
  type ParentProcess,
  parentProcess,
  Pipe,
  Process,
  wait,
  type Connection,
  type ProcessOptions,
} from 'node-multiprocessing';

const module = import.meta.url;

export async function consumer(
  input: Connection<string, number>,
  lock: Lock,
  options: { attempts: number },
): Promise<void> {
  await input.send(String((await input.recv()) + options.attempts));
  lock.release();
}

export function optional(count?: number): void {
  void count;
}

export function nothing(): void {
  // No arguments.
}

const [a, b] = Pipe<number, string>();
const lock = new Lock();

export const process: Process<typeof consumer> = new Process({
  module,
  target: consumer,
  args: [b, lock, { attempts: 3 }],
});
export const url = new Process({ module: new URL(module), target: nothing });
export const withProgram = new Process({
  module,
  target: nothing,
  execPath: '/usr/bin/node',
  execArgv: ['--no-warnings'],
});
export const noArguments = new Process({ module, target: nothing, args: [] });
export const maybe = [new Process({ module, target: optional }), new Process({ module, target: optional, args: [5] })];
export const byName = new Process({ module, target: 'consumer', args: [1, 'anything', lock] });
export const options: ProcessOptions<typeof nothing> = {
  module,
  target: nothing,
  name: 'n',
  daemon: true,
  cwd: '/',
  stdio: 'inherit',
};

// @ts-expect-error -- The end of the other type.
new Process({ module, target: consumer, args: [a, lock, { attempts: 3 }] });
// @ts-expect-error -- One argument is missing.
new Process({ module, target: consumer, args: [b, lock] });
// @ts-expect-error -- All arguments are missing.
new Process({ module, target: consumer });
// @ts-expect-error -- One argument is too many.
new Process({ module, target: nothing, args: [1] });
// @ts-expect-error -- A wrong type inside an argument.
new Process({ module, target: consumer, args: [b, lock, { attempts: 'three' }] });
// @ts-expect-error -- There is no module.
new Process({ target: nothing });
// @ts-expect-error -- A target is a function or a name.
new Process({ module, target: 5 });
// @ts-expect-error -- The program is a path.
new Process({ module, target: nothing, execPath: 5 });

process.start();
export const joined: boolean = await process.join();
export const inTime: boolean[] = [await process.join(5), await process.join({ timeout: 5 }), process.joinSync(null)];
export const code: number | null = process.exitcode;
export const pid: number | null = process.pid;
export const base: BaseProcess[] = activeChildren();
export const ready: (Connection<number, string> | Process<typeof consumer> | number)[] = await wait([
  a,
  process,
  process.sentinel,
]);
export const parent: ParentProcess | null = parentProcess();
export const current: CurrentProcess = currentProcess();
export const main: boolean = isMainProcess;
process.daemon = true;
// @ts-expect-error -- It is given by the system.
process.pid = 5;
