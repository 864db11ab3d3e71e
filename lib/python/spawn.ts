// SPDX-License-Identifier: MIT
//
// What CPython reads when it starts as a child of multiprocessing (spawn.py): a command line, and then two pickles from a
// descriptor, of a dict that prepares the process and of the process object, which it runs.
import type { NewChild } from '../process/base-process.js';
import { currentRole } from '../process/current-process.js';
import { DAEMON_GRACE_MS } from '../process/options.js';
import { encodePickle } from '../serialization/pickle/codec.js';
import type { PickleHooks } from '../serialization/pickle/hooks.js';
import { create, PythonGlobal, PythonTuple, reduce, type PythonObject } from '../serialization/pickle/nodes.js';
import { source } from './spawn_child.js';

const Process = new PythonGlobal('multiprocessing.context', 'SpawnProcess');
const AuthenticationString = new PythonGlobal('multiprocessing.process', 'AuthenticationString');
const compile = new PythonGlobal('builtins', 'compile');
const exec = new PythonGlobal('builtins', 'exec');
const evaluate = new PythonGlobal('builtins', 'eval');

/** What a child is to run. */
export interface Task {
  readonly module: string;
  readonly name: string;
  readonly args: readonly unknown[];
  readonly kwargs: Readonly<Record<string, unknown>>;
}

/** The arguments of the interpreter. CPython: `spawn.get_command_line`. */
export function commandLine(handle: number): string[] {
  // Without a resource tracker of ours the child starts its own, if it ever makes something that has a name. That one
  // cleans up whoever is killed, the child or this process, and reads what its own version of Python writes.
  const call = `spawn_main(tracker_fd=None, pipe_handle=${handle})`;
  return ['-c', `from multiprocessing.spawn import spawn_main; ${call}`, '--multiprocessing-fork'];
}

/** The pickle of the arguments, for which `reduce` says what stands for objects of this package. */
export function pickleArguments({ args, kwargs }: Task, hooks: PickleHooks): Buffer {
  return encodePickle({ args: new PythonTuple(args), kwargs }, hooks);
}

/**
 * Both pickles, in one piece.
 *
 * @param handle The number of the descriptor in the child.
 * @param args What pickleArguments has made.
 */
export function spawnPickles(handle: number, { name, identity, daemon }: NewChild, task: Task, args: Buffer): Buffer {
  const { name: parentName, authkey } = currentRole();
  const key = Buffer.from(authkey, 'base64');
  const preparation = { name, authkey: key, sys_argv: [task.module], start_method: 'spawn' };
  // The namespace of spawn_child.py, which has the functions that are called below.
  const globals = { handle, daemon, grace: DAEMON_GRACE_MS / 1000 };
  const call = (expression: string, locals: object): PythonObject => reduce(evaluate, [expression, globals, locals]);
  // CPython: what Process.__init__ sets. The order is that in which it is to happen.
  const state = {
    _popen: reduce(exec, [reduce(compile, [source, '<node-multiprocessing>', 'exec']), globals]),
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
