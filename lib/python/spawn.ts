// SPDX-License-Identifier: MIT
//
// The input of CPython's spawn protocol (multiprocessing/spawn.py): a command line, and then two pickles that the child
// reads from a descriptor. The first is a dict that prepares the process, the second the process object, which the
// child runs.
import type { ChildIdentity } from '../process/base-process.js';
import { familyFolders } from '../synchronize/family-folders.js';
import { currentRole } from '../process/current-process.js';
import { DAEMON_GRACE_MS } from '../process/options.js';
import { encodePickle } from '../serialization/pickle/codec.js';
import type { PickleHooks } from '../serialization/pickle/hooks.js';
import { create, PythonGlobal, PythonTuple, reduce, type PythonObject } from '../serialization/pickle/nodes.js';
import { programs } from './programs.js';

const Process = new PythonGlobal('multiprocessing.context', 'SpawnProcess');
const AuthenticationString = new PythonGlobal('multiprocessing.process', 'AuthenticationString');
const compile = new PythonGlobal('builtins', 'compile');
const exec = new PythonGlobal('builtins', 'exec');
const evaluate = new PythonGlobal('builtins', 'eval');

/** `sys.path` with `folders` after the working directory, which is an empty string there, unless Python leaves it out. */
const SEARCHED =
  '(lambda path, n: path[:n] + folders + [p for p in path[n:] if p not in folders])' +
  "(__import__('sys').path, __import__('sys').path[:1] == [''])";

/** The function that a child runs, and its arguments. */
export interface Task {
  readonly module: string;
  readonly name: string;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
  /** Whether the caller has chosen a standard input. Otherwise it is empty, as CPython's children have it. */
  readonly stdin: boolean;
  /** Folders to search for modules, after the working directory and before all others. */
  readonly folders: readonly string[];
}

/**
 * The command line arguments of the interpreter. CPython: `spawn.get_command_line`. The last one names the process for people;
 * only a frozen program would read it.
 *
 * @param tracker The number of the pipe of the resource tracker in the child. Without one the child starts a tracker of
 *   its own.
 */
export function commandLine(handle: number, tracker: number | undefined, label: string): string[] {
  const call = `spawn_main(tracker_fd=${tracker ?? 'None'}, pipe_handle=${handle})`;
  return ['-c', `from multiprocessing.spawn import spawn_main; ${call}`, '--multiprocessing-fork', label];
}

/** Pickles the arguments. The hook `reduce` replaces the objects of this package. */
export function pickleArguments({ args, kwargs }: Task, hooks: PickleHooks): Buffer {
  return encodePickle({ args: new PythonTuple(args), kwargs }, hooks);
}

/**
 * Makes both pickles, in one piece.
 *
 * @param handle The number of the bootstrap channel in the child.
 * @param args The result of `pickleArguments`.
 * @param records Given if there are locks in the arguments: the child records which of them it holds, and tells that to
 *   the tracker, by its number in the child.
 */
export function spawnPickles(
  handle: number,
  { name, identity, daemon, endsWithParent }: ChildIdentity,
  task: Task,
  args: Buffer,
  records: { readonly tracker: number | undefined } | undefined,
): Buffer {
  const { name: parentName, authkey } = currentRole();
  const key = Buffer.from(authkey, 'base64');
  const preparation = {
    name,
    authkey: key,
    sys_argv: [task.module],
    start_method: 'spawn',
    // As a list: in PYTHONPATH the name of a folder cannot have a colon.
    sys_path: reduce(evaluate, [SEARCHED, { folders: task.folders }]),
  };
  // The namespace of spawn_child.py, which has the functions that are called below.
  const recording = records && { ...records, folders: familyFolders(), sources: programs().records };
  const globals = {
    handle,
    daemon: endsWithParent,
    grace: DAEMON_GRACE_MS / 1000,
    stdin: task.stdin,
    records: recording,
  };
  const call = (expression: string, locals: object): PythonObject => reduce(evaluate, [expression, globals, locals]);
  // The attributes that Process.__init__ of CPython sets. The child evaluates them in this order, which matters.
  const state = {
    _popen: reduce(exec, [reduce(compile, [programs().spawnChild, '<node-multiprocessing>', 'exec']), globals]),
    _args: call('load(data)', { data: args }),
    _kwargs: call('kwargs', {}),
    _target: call('find(module, name)', { module: task.module, name: task.name }),
    run: call('watched(process_class)', { process_class: Process }),
    _name: name,
    _identity: new PythonTuple(identity),
    _config: {
      authkey: reduce(AuthenticationString, [key]),
      semprefix: '/mp',
      ...(daemon ? { daemon } : {}),
    },
    _parent_pid: process.pid,
    _parent_name: parentName,
    _closed: false,
  };
  return Buffer.concat([encodePickle(preparation), encodePickle(create(Process, [], state))]);
}
