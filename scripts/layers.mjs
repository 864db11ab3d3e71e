// SPDX-License-Identifier: MIT
//
// The layers of lib/ and native/. test/unit/layers.test.ts holds the sources to them, and draw-layers.mjs draws them for
// docs/internals.md.

/**
 * A folder, or a file that has a place of its own among the layers.
 *
 * @typedef {object} Folder
 * @property {string} name Its path below the root.
 * @property {string} meaning What is in it, in one line of the picture.
 */

/**
 * An import within one floor that is allowed.
 *
 * @typedef {object} Exception
 * @property {string} from The folder that imports.
 * @property {string} to The folder that is imported.
 * @property {string} because Why there is no other way.
 */

/**
 * A folder imports only folders of lower floors. The folders of one floor do not import each other, exceptions aside.
 *
 * @typedef {object} Layers
 * @property {string} root The folder that contains all of them.
 * @property {readonly (readonly Folder[])[]} floors The lowest floor is the first.
 * @property {readonly Exception[]} exceptions
 */

/** @type {{ readonly lib: Layers, readonly native: Layers }} */
export const layers = {
  lib: {
    root: 'lib',
    floors: [
      [{ name: 'native', meaning: 'the functions of the addon, with their types' }],
      [{ name: 'core', meaning: 'errors with permanent codes, checks of arguments, deadlines' }],
      [{ name: 'reduction', meaning: 'how shared objects travel between processes' }],
      [{ name: 'event-loop', meaning: 'readiness, completions, what exit still writes' }],
      [
        { name: 'serialization', meaning: 'values to bytes: structured, JSON, pickle' },
        { name: 'synchronize', meaning: 'Lock, RLock, Semaphore, Condition, Event' },
      ],
      [
        {
          name: 'connection',
          meaning: 'Pipe, Connection, wait: messages in order, received with promises or by blocking',
        },
        { name: 'shared-memory', meaning: 'SharedMemory, Value, Array, Barrier, arrays for numpy' },
      ],
      [
        { name: 'listener', meaning: 'Listener, Client, authentication' },
        { name: 'queues', meaning: 'Queue, JoinableQueue, SimpleQueue' },
        { name: 'process', meaning: 'Process: start, bootstrap, end' },
      ],
      [{ name: 'pool', meaning: 'Pool: tasks, their queue, workers and their ends' }],
      [{ name: 'adapters', meaning: "beyond one machine: queues and pools over Redis, CPython's managers" }],
      [
        { name: 'describe.ts', meaning: 'describe and attach, for objects of every class' },
        { name: 'rebuilders.ts', meaning: 'which module rebuilds which objects, and is loaded for the first' },
      ],
      [{ name: 'python', meaning: "PythonProcess, PythonPool, and this package's objects in pickles" }],
      [
        { name: 'index.ts', meaning: 'everything that users import' },
        { name: 'managers.ts', meaning: 'what users import of adapters/managers' },
        { name: 'redis.ts', meaning: 'what users import of adapters/redis' },
        { name: 'child-program.ts', meaning: 'the program of a Node child' },
        { name: 'cli', meaning: 'the command line program' },
      ],
      [{ name: 'child-main.ts', meaning: 'what Node runs in a child: loads its program' }],
    ],
    exceptions: [],
  },
  native: {
    root: 'native',
    floors: [
      [{ name: 'util', meaning: 'deadlines, id tables, spinning, status codes' }],
      [{ name: 'os', meaning: 'system calls, descriptors, threads: one file per platform' }],
      [{ name: 'registers', meaning: 'the files of families' }],
      [
        { name: 'io', meaning: 'endpoints, frames, readers, writers' },
        { name: 'sockets', meaning: 'stream sockets, addresses' },
        { name: 'loop', meaning: 'one poller for each thread' },
        { name: 'semaphores', meaning: 'families, holder records, waiting' },
        { name: 'process', meaning: 'ends of children and parents' },
      ],
      [
        { name: 'recovery', meaning: 'what members of a queue write down, and what the others do with it' },
        { name: 'shared_memory', meaning: 'blocks of memory, by name or by descriptor' },
      ],
      [{ name: 'queue', meaning: 'reader, writer, feeder thread and state of a queue' }],
      [{ name: 'leases', meaning: 'the shared memory of a queue whose items are handed out again' }],
      [{ name: 'environment', meaning: 'what each JavaScript thread has once, and how it waits' }],
      [{ name: 'bindings', meaning: 'the functions that JavaScript calls: integers in, integers out' }],
    ],
    exceptions: [],
  },
};
