// SPDX-License-Identifier: MIT
import { isAbsolute } from 'node:path';
import { pathToFileURL } from 'node:url';

import { BaseProcess, type ChildIdentity, type Launched } from './base-process.js';
import type { Preparation } from './bootstrap.js';
import { childProgram, currentRole } from './current-process.js';
import { argumentError } from '../core/errors.js';
import type { Inheritance } from '../reduction/inheritance.js';
import { reducePlainValue, reduceValue } from '../reduction/reduce-value.js';
import { launchChild } from './launch.js';
import { addonFile } from '../native/load-addon.js';
import { native } from '../native/addon.js';
import { checkCommon, COMMON_PROCESS_OPTIONS, type CommonProcessOptions } from './options.js';
import { checkFunction, checkOptionNames, optionNames } from '../core/validate.js';

/** A function that a process can run, with any parameters. */
// eslint-disable-next-line @typescript-eslint/no-explicit-any -- Parameters are contravariant: unknown would accept none.
export type Target = (...args: any[]) => unknown;

/** The `args` option of a function, required if the function cannot be called without arguments. */
export type Arguments<F extends Target> =
  [] extends Parameters<F>
    ? {
        /** The arguments of the function. */
        args?: Readonly<Parameters<F>> | undefined;
      }
    : {
        /** The arguments of the function. */
        args: Readonly<Parameters<F>>;
      };

/**
 * Options of a `Process`. Objects of this package may be anywhere in `args`, which may be omitted if the function has
 * no required parameters.
 */
export type ProcessOptions<F extends Target> = CommonProcessOptions & {
  /** The module that exports the function: a `file:` URL, usually `import.meta.url`, or an absolute path. */
  module: string | URL;
  /** The exported function, or the name of its export. The name of a function must be that of its export. */
  target: F | string;
  /** Options for Node itself. Default: those of this process, except options such as `-e` that give code to run. */
  execArgv?: readonly string[] | undefined;
} & Arguments<F>;

const processNames = optionNames<ProcessOptions<Target>>({
  ...COMMON_PROCESS_OPTIONS,
  module: true,
  target: true,
  args: true,
  execArgv: true,
});

/** Options of Node that give code to run or say how to read it, each with its value if that is a separate argument. */
const CODE_OPTIONS: readonly string[] = [
  ...['-e', '--eval', '-p', '--print', '-pe', '-i', '--interactive', '-c', '--check', '--input-type'],
];

/** The Node options of this process, without those that give code to run. */
function inheritedExecArgv(): string[] {
  const options: string[] = [];
  let ofCode = false;
  for (const option of process.execArgv) {
    if (!option.startsWith('-') && ofCode) continue;
    ofCode = CODE_OPTIONS.includes(option.split('=', 1)[0] as string);
    if (!ofCode) options.push(option);
    else if (option.includes('=')) ofCode = false;
  }
  return options;
}

/** The names that Node gives to code that is in no file. */
const NO_FILE = /(^|\/)(\[(eval|stdin)\d*\]|\[worker eval\]|REPL\d*)$/;

function checkModule(module: unknown): string {
  if (typeof module !== 'string' && !(module instanceof URL)) {
    throw argumentError('type', 'module must be a file: URL or an absolute path, usually import.meta.url');
  }
  const text = String(module);
  if (!isAbsolute(text) && !/^[a-z][\w+.-]*:/i.test(text) && !NO_FILE.test(text)) {
    throw argumentError(
      'range',
      `module must not be relative, since a child process does not know to what: instead of '${text}' pass ` +
        `import.meta.resolve('${text}'), or in CommonJS require.resolve('${text}')`,
    );
  }
  if (!NO_FILE.test(decodeURI(text))) {
    if (isAbsolute(text)) return pathToFileURL(text).href;
    if (text.startsWith('file:') && URL.canParse(text)) return text;
  }
  throw argumentError(
    'range',
    `module must be the file: URL or absolute path of a file that a child process can import, not "${text}". ` +
      'Code given to node -e, standard input or the REPL is in no file',
  );
}

function checkTarget(target: unknown): string {
  if (typeof target === 'string' && target !== '') return target;
  if (typeof target === 'string') throw argumentError('range', 'target must not be empty');
  checkFunction(target, 'target');
  const { name } = target as Target;
  if (name === '') {
    throw argumentError(
      'range',
      'target must be an exported function: write `export function work() {}` and pass target: work. ' +
        'This function has no name; if the module exports it, pass the name of its export as a string',
    );
  }
  if (name.startsWith('bound ')) {
    throw argumentError(
      'range',
      `target must not be a bound function ("${name}"): a child process cannot know what it is bound to`,
    );
  }
  return name;
}

function checkStrings(value: unknown, name: string): readonly string[] {
  if (Array.isArray(value) && value.every((item) => typeof item === 'string')) return value;
  throw argumentError('type', `${name} must be an array of strings`);
}

/**
 * A Node process that runs an exported function. CPython: `multiprocessing.Process`.
 *
 * The function receives a structured clone of its arguments, in which Connections, queues and locks are objects for the
 * same pipes and semaphores. The child has its own references to them, so the caller should close the objects that it
 * does not use itself. The process ends when the function has returned and nothing keeps its event loop alive.
 */
export class Process<F extends Target = Target> extends BaseProcess {
  readonly #options: CommonProcessOptions;
  readonly #module: string;
  readonly #target: string;
  readonly #args: readonly unknown[];
  readonly #execArgv: readonly string[] | undefined;

  /** @param options See ProcessOptions. The process is started by `start()`. */
  constructor(options: ProcessOptions<F>) {
    checkOptionNames(options, processNames);
    super(options.name, options.daemon);
    checkCommon(options);
    this.#options = options;
    this.#module = checkModule(options.module);
    this.#target = checkTarget(options.target);
    const args: unknown = options.args ?? [];
    if (!Array.isArray(args)) throw argumentError('type', 'args must be an array');
    this.#args = args;
    if (options.execArgv !== undefined) this.#execArgv = checkStrings(options.execArgv, 'execArgv');
  }

  /** @internal */
  protected override launch(identity: ChildIdentity): Launched {
    let preparation: Preparation;
    return launchChild(identity, this.#options, {
      node: true,
      command: (channel, inheritance) => {
        preparation = this.#prepare(identity, inheritance);
        const args = [...(this.#execArgv ?? inheritedExecArgv()), childProgram, String(channel), addonFile()];
        return { command: process.execPath, args, env: this.#options.env };
      },
      send: (channel) => channel.send(preparation),
    });
  }

  #prepare(identity: ChildIdentity, inheritance: Inheritance): Preparation {
    const args = reducePlainValue(this.#args) ?? reduceValue(this.#args, 'args', inheritance);
    const own = native.semaphores.ownFamily();
    const family = own && { family: own.family, fd: inheritance.descriptor(own.fd).fd };
    const { name: parentName, authkey } = currentRole();
    const role = { ...identity, authkey, parent: { pid: process.pid, name: parentName } };
    return { module: this.#module, target: this.#target, args, role, family };
  }
}
