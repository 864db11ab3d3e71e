// SPDX-License-Identifier: MIT
import { isAbsolute } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { BaseProcess, childLabel, type ChildIdentity, type Launched } from './base-process.js';
import type { Preparation } from './bootstrap.js';
import { currentRole } from './current-process.js';
import { argumentError, NotSupported } from '../core/errors.js';
import type { Inheritance } from '../reduction/inheritance.js';
import { reduceValue } from '../serialization/structured/reduce-value.js';
import { launchChild } from './launch.js';
import { childProgram, OWN_PATH } from '../native/child-program.js';
import { addonFile } from '../native/load-addon.js';
import { native } from '../native/addon.js';
import { checkCommon, COMMON_PROCESS_OPTIONS, type CommonProcessOptions } from './options.js';
import { isURL } from '../core/realms.js';
import { checkOptionNames, optionNames } from '../core/validate.js';

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
  /**
   * Options for Node itself. Default: those of this process, except those that are for its program: code to run (`-e`), test
   * runs, watch modes, and stops at the first line (`--inspect-brk`).
   */
  execArgv?: readonly string[] | undefined;
  /**
   * The program of Node that runs the child. Default: that of this process, `process.execPath`. Required where that is no Node
   * but an application: in a single executable application and in Electron.
   */
  execPath?: string | undefined;
} & Arguments<F>;

const processNames = optionNames<ProcessOptions<Target>>({
  ...COMMON_PROCESS_OPTIONS,
  module: true,
  target: true,
  args: true,
  execArgv: true,
  execPath: true,
});

/**
 * Options of Node that are for the program of this process: they give code to run or say how to read it, run tests, or stop
 * the program at its first line. Each has its value if that is a separate argument.
 */
const PROGRAM_OPTIONS: readonly string[] = [
  ...['-e', '--eval', '-p', '--print', '-pe', '-i', '--interactive', '-c', '--check', '--input-type'],
  ...['--watch', '--inspect-brk', '--inspect-wait', '--experimental-sea-config', '--build-snapshot', '--run'],
];

/** The beginnings of further options of this kind. */
const PROGRAM_FAMILIES = /^--(no-)?(experimental-)?(test|watch)($|-)/;

/** The Node options of this process, without those that are for its program. */
function inheritedExecArgv(): string[] {
  const options: string[] = [];
  let ofProgram = false;
  for (const option of process.execArgv) {
    if (!option.startsWith('-') && ofProgram) continue;
    const name = option.split('=', 1)[0] as string;
    ofProgram = PROGRAM_OPTIONS.includes(name) || PROGRAM_FAMILIES.test(name);
    if (!ofProgram) options.push(option);
    else if (option.includes('=')) ofProgram = false;
  }
  return options;
}

/** The names that Node gives to code that is in no file. */
const NO_FILE = /(^|\/)(\[(eval|stdin)\d*\]|\[worker eval\]|REPL\d*)$/;

/** The URL of a file that a child can import; undefined if the text is none. */
function fileUrl(text: string): string | undefined {
  // A path is no URL: a character that URLs escape stands for itself.
  const url = isAbsolute(text) ? pathToFileURL(text).href : text;
  if (!url.startsWith('file:')) return undefined;
  try {
    return NO_FILE.test(fileURLToPath(url)) ? undefined : url;
  } catch {
    // Not a URL, or one of a host, or with an escaped slash or an invalid escape.
    return undefined;
  }
}

/** @internal The URL of a module that a child can import. */
export function checkModule(module: unknown): string {
  if (typeof module !== 'string' && !isURL(module)) {
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
  const url = fileUrl(text);
  if (url !== undefined) return url;
  throw argumentError(
    'range',
    `module must be the file: URL or absolute path of a file that a child process can import, not "${String(module)}". ` +
      'Code given to node -e, standard input or the REPL is in no file',
  );
}

/** @internal The name of an exported function. */
export function checkTargetName(target: unknown): string {
  if (typeof target === 'string' && target !== '') return target;
  if (typeof target === 'string') throw argumentError('range', 'target must not be empty');
  if (typeof target !== 'function') {
    throw argumentError('type', 'target must be an exported function, or the name of its export');
  }
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

function checkProgram(execPath: unknown): string {
  if (typeof execPath !== 'string') throw argumentError('type', 'execPath must be a string');
  if (execPath === '') throw argumentError('range', 'execPath must not be empty');
  return execPath;
}

/** The Node that runs this process. Throws where the application would start itself instead. */
function ownProgram(): string {
  // The type says that the module exists, but Node has it since 20.12 only.
  const sea = process.getBuiltinModule('node:sea') as { isSea(): boolean } | undefined;
  const { electron } = process.versions as { electron?: string };
  const isElectron = electron !== undefined && process.env['ELECTRON_RUN_AS_NODE'] === undefined;
  if (!isElectron && sea?.isSea() !== true) return process.execPath;
  throw new NotSupported(
    `${process.execPath} is an application, which would start itself: set the option execPath to a Node. ` +
      (isElectron ? 'Electron can be one: execPath: process.execPath and ELECTRON_RUN_AS_NODE: "1" in env' : ''),
  );
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
  readonly #execPath: string | undefined;

  /** @param options See ProcessOptions. The process is started by `start()`. */
  constructor(options: ProcessOptions<F>) {
    checkOptionNames(options, processNames);
    super(options.name, options.daemon);
    checkCommon(options);
    this.#options = options;
    this.#module = checkModule(options.module);
    this.#target = checkTargetName(options.target);
    const args: unknown = options.args ?? [];
    if (!Array.isArray(args)) throw argumentError('type', 'args must be an array');
    this.#args = args;
    if (options.execArgv !== undefined) this.#execArgv = checkStrings(options.execArgv, 'execArgv');
    if (options.execPath !== undefined) this.#execPath = checkProgram(options.execPath);
  }

  /** @internal */
  protected override launch(identity: ChildIdentity): Launched {
    let preparation: Preparation;
    const program = this.#execPath ?? ownProgram();
    return launchChild(identity, this.#options, {
      node: true,
      command: (channel, inheritance) => {
        preparation = this.#prepare(identity, inheritance);
        const options = [...(this.#execArgv ?? inheritedExecArgv()), OWN_PATH];
        const args = [...options, childProgram, String(channel), addonFile(), childLabel(identity)];
        return { command: program, args, env: this.#options.env };
      },
      send: (channel) => channel.send(preparation),
    });
  }

  #prepare({ endsWithParent, ...identity }: ChildIdentity, inheritance: Inheritance): Preparation {
    const args = reduceValue(this.#args, 'args', inheritance);
    const own = native.families.own();
    const family = own && { family: own.family, fd: inheritance.descriptor(own.fd).fd };
    const { name: parentName, authkey } = currentRole();
    const role = { ...identity, authkey, parent: { pid: process.pid, name: parentName } };
    return { module: this.#module, target: this.#target, args, role, family, endsWithParent };
  }
}
