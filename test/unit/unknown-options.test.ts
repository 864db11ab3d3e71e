// SPDX-License-Identifier: MIT
//
// An unknown option is refused everywhere: the places that take options are read from the package's declarations, and each is
// called with one option that it does not have. Once, misspelt options such as `maxSize` were ignored.
import { expect } from 'chai';
import * as mp from 'node-multiprocessing';
import * as managers from 'node-multiprocessing/managers';
import * as redis from 'node-multiprocessing/redis';
import ts from 'typescript';

import { neverThrowing, TYPE } from '../helpers/arguments.js';
import { awayRedis } from '../helpers/away-redis.js';
import { declarations } from '../helpers/declarations.js';
import { rejects, throws } from '../helpers/index.js';

type Callable = (...args: unknown[]) => unknown;
type Constructor = new (...args: unknown[]) => object;

/** A parameter that takes options. */
interface Place {
  /** As in the program of a user: `Connection.send`, `Connection.fromFd`, `new Queue`, `pickle.loads`. */
  readonly call: string;
  /** The position of the parameter. */
  readonly index: number;
  /** The options that it has. */
  readonly names: readonly string[];
}

/** All that the entries of the package export. */
const exported: Readonly<Record<string, unknown>> = { ...mp, ...managers, ...redis };

/** Whether an object type is one of options: all of its properties may be missing, or its name says so. */
function isOptions(type: ts.Type): boolean {
  if ((type.flags & (ts.TypeFlags.Object | ts.TypeFlags.Intersection)) === 0) return false;
  if (type.getCallSignatures().length > 0 || type.getStringIndexType() !== undefined) return false;
  const name = (type.aliasSymbol ?? type.symbol)?.name ?? '';
  if (name === 'ErrorOptions') return false;
  if (/(Options|Registration)$/.test(name)) return true;
  const properties = type.getProperties();
  const isOptional = (property: ts.Symbol): boolean => (property.flags & ts.SymbolFlags.Optional) !== 0;
  return properties.length > 0 && properties.every(isOptional);
}

/** All places of an entry that take options. */
function findPlaces(entry: string): Place[] {
  const { checker, source } = declarations(entry);
  const places: Place[] = [];

  const addSignatures = (call: string, signatures: readonly ts.Signature[]): void => {
    for (const signature of signatures) {
      for (const [index, parameter] of signature.parameters.entries()) {
        const type = checker.getTypeOfSymbolAtLocation(parameter, source);
        const parts = type.isUnion() ? type.types : [type];
        for (const part of parts.filter(isOptions)) {
          const names = part.getProperties().map((property) => property.name);
          if (!places.some((place) => place.call === call && place.index === index))
            places.push({ call, index, names });
        }
      }
    }
  };
  const addMembers = (prefix: string, type: ts.Type): void => {
    for (const member of type.getProperties()) {
      // What a class inherits from one of Node is not for this package to refuse.
      if (member.name === 'prototype' || member.declarations?.[0]?.getSourceFile() !== source) continue;
      addSignatures(prefix + member.name, checker.getTypeOfSymbolAtLocation(member, source).getCallSignatures());
    }
  };
  const addExports = (prefix: string, module: ts.Symbol): void => {
    for (const found of checker.getExportsOfModule(module)) {
      const { name } = found;
      // The default export is the module itself.
      if (name === 'default') continue;
      const symbol = (found.flags & ts.SymbolFlags.Alias) !== 0 ? checker.getAliasedSymbol(found) : found;
      if ((symbol.flags & ts.SymbolFlags.ValueModule) !== 0) {
        addExports(`${prefix}${name}.`, symbol);
      } else if ((symbol.flags & ts.SymbolFlags.Value) !== 0) {
        const type = checker.getTypeOfSymbolAtLocation(symbol, source);
        addSignatures(prefix + name, type.getCallSignatures());
        if ((symbol.flags & ts.SymbolFlags.Class) === 0) continue;
        addSignatures(`new ${prefix}${name}`, type.getConstructSignatures());
        addMembers(`${prefix}${name}.`, type);
        addMembers(`${prefix}${name}.`, checker.getDeclaredTypeOfSymbol(symbol));
      }
    }
  };
  addExports('', checker.getSymbolAtLocation(source) as ts.Symbol);
  return places;
}

/** Classes whose methods are called as those of their subclasses. */
const ABSTRACT = ['BasePool', 'BaseProcess', 'BaseQueue', 'OwnableLock', 'SemLock', 'MultiprocessingError'];

const module = import.meta.url;
const authkey = Buffer.from('key');
const opened: { close(): void }[] = [];

function open<T extends { close(): void }>(object: T): T {
  opened.push(object);
  return object;
}

/** A pool without processes. */
function openPool<T extends { terminate(): Promise<void> }>(pool: T): T {
  open({ close: () => void pool.terminate() });
  return pool;
}

const remote = { client: awayRedis, name: 'options' };

/** Makes an object of each class whose methods take options. */
const makers: Record<string, () => object> = {
  Array: () => open(new mp.Array('i', 1)),
  Barrier: () => open(new mp.Barrier(1)),
  BoundedSemaphore: () => open(new mp.BoundedSemaphore()),
  Condition: () => open(new mp.Condition()),
  Connection: () => {
    const ends = mp.Pipe<never>();
    for (const end of ends) open(end);
    return ends[0];
  },
  Event: () => open(new mp.Event()),
  JoinableQueue: () => open(new mp.JoinableQueue()),
  Listener: () => open(new mp.Listener()),
  Lock: () => open(new mp.Lock()),
  ManagedEvent: () => new managers.ManagedEvent(),
  ManagedLock: () => new managers.ManagedLock(),
  ManagedQueue: () => new managers.ManagedQueue(),
  ManagerClient: () => new (managers.ManagerClient as unknown as Constructor)(required['ManagerClient.connect']),
  ManagerProxy: () => {
    const owner = makers.ManagerClient?.() as { call: Callable };
    return new (managers.ManagerProxy as unknown as Constructor)(owner, { typeid: 'type', id: '1' }, []);
  },
  ManagerServer: () => open(new managers.ManagerServer({ authkey })),
  NamedSemaphore: () => {
    const name = `/unknown-options-${process.pid}`;
    const semaphore = open(mp.NamedSemaphore.create(name));
    mp.NamedSemaphore.unlink(name);
    return semaphore;
  },
  Pool: () => openPool(new mp.Pool({ module, target: 'none', minProcesses: 0 })),
  PythonPool: () => openPool(new mp.PythonPool({ target: 'os:getpid', minProcesses: 0 })),
  ParentProcess: () => new (mp.ParentProcess as unknown as Constructor)({ parent: { pid: 1, name: '' }, channel: -1 }),
  Process: () => open(new mp.Process({ module, target: 'none' })),
  PythonProcess: () => open(new mp.PythonProcess({ target: 'os:getpid' })),
  Queue: () => open(new mp.Queue()),
  RedisJoinableQueue: () => new redis.RedisJoinableQueue(remote),
  RedisPool: () => openPool(new redis.RedisPool(remote)),
  RedisQueue: () => new redis.RedisQueue(remote),
  RLock: () => open(new mp.RLock()),
  Semaphore: () => open(new mp.Semaphore()),
  SharedMemory: () => {
    const shm = open(new mp.SharedMemory({ create: true, size: 1 }));
    shm.unlink();
    return shm;
  },
  SimpleQueue: () => open(new mp.SimpleQueue()),
  Value: () => open(new mp.Value('i')),
};

/** By the name of a function: the arguments before the options, where undefined would be refused first. */
const before: Record<string, () => unknown[]> = {
  apply: () => [[]],
  getMany: () => [1],
  imap: () => [[1]],
  imapUnordered: () => [[1]],
  map: () => [[1]],
  starmap: () => [[[]]],
  stream: () => [[]],
  'new Barrier': () => [1],
  Client: () => ['/nowhere'],
  ClientSync: () => ['/nowhere'],
  fromFd: () => [3],
  recvBytesInto: () => [Buffer.alloc(1)],
  recvBytesIntoSync: () => [Buffer.alloc(1)],
  recv_bytes_into: () => [Buffer.alloc(1)],
  register: () => ['type', {}],
  sendBytes: () => [Buffer.alloc(1)],
  sendBytesSync: () => [Buffer.alloc(1)],
  send_bytes: () => [Buffer.alloc(1)],
  sendHandle: () => [0],
  sendHandleSync: () => [0],
  waitFor: () => [() => true],
  waitForSync: () => [() => true],
  withLock: () => [() => true],
  describe: () => [open(new mp.Lock())],
  loads: () => [mp.pickle.dumps(1)],
  wait: () => [[]],
};

/** The options that a place requires. */
const required: Record<string, object> = {
  'new Pool': { module, target: 'none' },
  'new Process': { module, target: 'none' },
  'new PythonPool': { target: 'os:getpid' },
  'new PythonProcess': { target: 'os:getpid' },
  'ManagerClient.connect': { address: '/nowhere', authkey },
  'new ManagerServer': { authkey },
  'new RedisJoinableQueue': remote,
  'new RedisPool': remote,
  'new RedisPoolWorker': { ...remote, module, target: 'none' },
  'new RedisQueue': remote,
  'pickle.register': { module: 'm', name: 'n', decode: () => ({}) },
};

function callable(call: string): Callable {
  if (call.startsWith('new ')) {
    const Class = exported[call.slice(4)] as Constructor;
    return (...args) => new Class(...args);
  }
  const [owner, member] = call.split('.') as [string, string | undefined];
  const object = exported[owner];
  if (member === undefined) return object as Callable;
  const holder = (Object.hasOwn(object as object, member) ? object : makers[owner]?.()) as
    Record<string, Callable> | undefined;
  if (holder === undefined) throw new Error(`Add ${owner} to the objects that this test makes`);
  return (...args) => (holder[member] as Callable)(...args);
}

/** Calls a place with options, and returns the error. */
async function refusal({ call, index }: Place, options: object): Promise<Error> {
  const args = (before[call.split('.').at(-1) as string]?.() ?? []).slice(0, index);
  while (args.length < index) args.push(undefined);
  const fn = callable(call);
  const isPlain = Object.getPrototypeOf(options) === Object.prototype;
  const run = (): unknown => fn(...args, isPlain ? { ...required[call], ...options } : options);
  let result: unknown;
  try {
    result = call.endsWith('Sync') || call.startsWith('new ') ? run() : neverThrowingUnlessSync(call, run);
  } catch (error) {
    return throws(
      () => {
        throw error;
      },
      { code: TYPE },
    );
  }
  if (!(result instanceof Promise)) throw new Error(`${call} has accepted ${JSON.stringify(options)}`);
  return await rejects(result, { code: TYPE });
}

/** Plain synchronous calls, whose names do not end in Sync. */
const SYNCHRONOUS =
  /^(Pipe|describe|pickle\..*|Connection\.(fromFd|close|batches)|SharedMemory\.view|(Joinable|Managed)?Queue\.shutdown|ManagerServer\.register|R?Lock\.recover|(Python)?Pool\.(imap|imapUnordered|stream))$/;

function neverThrowingUnlessSync(call: string, run: () => unknown): unknown {
  return SYNCHRONOUS.test(call) ? run() : neverThrowing(run)();
}

describe('Unknown options', () => {
  const places = ['index', 'managers', 'redis']
    .flatMap(findPlaces)
    .filter(({ call }) => !ABSTRACT.includes(call.replace(/^new /, '').split('.')[0] as string));

  afterEach(() => {
    for (const object of opened.splice(0)) object.close();
  });

  it('have been looked for in every kind of place', () => {
    const calls = places.map(({ call }) => call);
    expect(calls).to.include.members(['Pipe', 'Client', 'wait', 'new Listener', 'new SimpleQueue', 'new Queue']);
    expect(calls).to.include.members(['Connection.send', 'Connection.fromFd', 'Connection.close', 'Process.join']);
    expect(calls).to.include.members(['new Process', 'new PythonProcess', 'pickle.loads', 'pickle.register']);
    expect(calls).to.include.members(['Queue.put', 'Lock.acquire', 'RLock.recover', 'Condition.waitFor', 'describe']);
    expect(calls).to.include.members(['new ManagerServer', 'ManagerClient.connect', 'ManagerProxy.call']);
    expect(calls).to.include.members(['ManagedQueue.get', 'RedisQueue.put', 'RedisQueue.getMany', 'new RedisPool']);
  });

  for (const place of places) {
    it(`are refused by ${place.call}, with the name and the nearest that there is`, async () => {
      const unrelated = await refusal(place, { absolutelyUnrelated: undefined });
      expect(unrelated).to.be.instanceOf(TypeError);
      expect(unrelated.message).to.match(/^absolutelyUnrelated /);
      for (const name of place.names) {
        expect(unrelated.message).to.include(name);
        const misspelt = await refusal(place, { [`${name}z`]: undefined });
        expect(misspelt.message).to.match(new RegExp(`^${name}z .*\\b${name}\\b`));
      }
      // Regression: a signal or a Map in the place of the options was ignored.
      const { signal } = new AbortController();
      const advice = place.names.includes('signal') ? 'write { signal }' : 'AbortSignal';
      expect((await refusal(place, signal)).message).to.include(advice);
      expect((await refusal(place, new Map([['timeout', 1]]))).message).to.include('Map');
    });
  }

  it('are compared without regard to case and underscores', () => {
    const hint = (options: object, name: string): void => {
      expect(throws(() => new mp.Queue(options), { code: TYPE }).message).to.match(new RegExp(`mean ${name}\\?`));
    };
    hint({ maxSize: 2 }, 'maxsize');
    hint({ max_message_bytes: 2 }, 'maxMessageBytes');
    hint({ highWatermark: 2 }, 'highWaterMark');
    hint({ serialisation: 'json' }, 'serialization');
  });

  it('are those of the object itself, and names of Object.prototype are no options', () => {
    const inherited = Object.create({ other: 1 }) as object;
    open(new mp.Queue(Object.assign(inherited, { maxsize: 1 })));
    throws(() => new mp.Queue({ toString: 1 } as never), { code: TYPE });
  });
});
