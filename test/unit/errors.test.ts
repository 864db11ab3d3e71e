// SPDX-License-Identifier: MIT
import { expect } from 'chai';
import * as mp from 'node-multiprocessing';

import { instance, makePair, rejects, throws } from '../helpers/index.js';

/** Permanent: programs compare these codes. The test of each part provokes its own errors. */
const CODES: Record<string, string> = {
  AuthenticationError: 'ERR_MP_AUTHENTICATION',
  BadMessageLength: 'ERR_MP_BAD_MESSAGE_LENGTH',
  BrokenBarrier: 'ERR_MP_BROKEN_BARRIER',
  BufferTooShort: 'ERR_MP_BUFFER_TOO_SHORT',
  BusyError: 'ERR_MP_BUSY',
  ChildProcessError: 'ERR_MP_CHILD_PROCESS',
  ClosedError: 'ERR_MP_CLOSED',
  Empty: 'ERR_MP_EMPTY',
  EOFError: 'ERR_MP_EOF',
  Full: 'ERR_MP_FULL',
  InterruptedError: 'ERR_MP_INTERRUPTED',
  MessagesLost: 'ERR_MP_MESSAGES_LOST',
  NotClosed: 'ERR_MP_NOT_CLOSED',
  NotOwner: 'ERR_MP_NOT_OWNER',
  NotReadable: 'ERR_MP_NOT_READABLE',
  NotSupported: 'ERR_MP_NOT_SUPPORTED',
  NotWritable: 'ERR_MP_NOT_WRITABLE',
  OwnerDied: 'ERR_MP_OWNER_DIED',
  PicklingError: 'ERR_MP_PICKLING',
  PoolClosed: 'ERR_MP_POOL_CLOSED',
  PoolSaturated: 'ERR_MP_POOL_SATURATED',
  QueueBroken: 'ERR_MP_QUEUE_BROKEN',
  RedisError: 'ERR_MP_REDIS',
  ReleasedTooOften: 'ERR_MP_RELEASED_TOO_OFTEN',
  RemoteError: 'ERR_MP_REMOTE',
  ShutDown: 'ERR_MP_SHUT_DOWN',
  TaskDoneError: 'ERR_MP_TASK_DONE',
  TaskTimeout: 'ERR_MP_TASK_TIMEOUT',
  TimeoutError: 'ERR_MP_TIMEOUT',
  TruncatedMessageError: 'ERR_MP_TRUNCATED',
  UnpicklingError: 'ERR_MP_UNPICKLING',
  WorkerDied: 'ERR_MP_WORKER_DIED',
};

/** Arguments that construct each class. */
const ARGUMENTS: Record<string, unknown[]> = {
  BufferTooShort: [Buffer.from('whole'), 3],
  BadMessageLength: [-2, 100],
  ChildProcessError: ['Process-1', 42, { stage: 'run', message: 'Error: it failed', stack: 'Error: it failed' }],
  MessagesLost: [3],
  OwnerDied: ['Lock', 42, false],
  QueueBroken: [],
  ReleasedTooOften: ['Lock'],
  PoolSaturated: [10],
  RemoteError: [{ type: 'RangeError', message: 'too far', args: [], traceback: 'at f' }],
  TaskTimeout: ['running', 100, 7],
  TruncatedMessageError: [3, 10],
  WorkerDied: [{ pid: 42, exitcode: -9, task: 7, attempt: 1, stderrTail: '' }],
};

type ErrorClass = new (...args: unknown[]) => Error & { code: string };
const exported = mp as unknown as Record<string, ErrorClass>;

describe('Errors', () => {
  for (const [name, code] of Object.entries(CODES)) {
    it(`${name} is an Error of this package with code ${code}`, () => {
      const Class = exported[name] as ErrorClass;
      const error = new Class(...(ARGUMENTS[name] ?? ['message']));
      expect(error).to.be.instanceOf(Error).and.instanceOf(mp.MultiprocessingError);
      expect([error.name, error.code]).to.deep.equal([name, code]);
      expect(String(error)).to.match(new RegExp(`^${name}: .`));
      expect(Object.keys(error)).not.to.include('name');
    });
  }

  it('are all listed here', () => {
    const classes = Object.entries(exported)
      .filter(
        ([name, value]) =>
          typeof value === 'function' && value.prototype instanceof Error && name !== 'MultiprocessingError',
      )
      .map(([name]) => name);
    expect(classes.sort()).to.deep.equal(Object.keys(CODES).sort());
  });

  it('have their details as properties', async () => {
    const { reader, writer } = makePair('socketpair');
    await writer.sendBytes(Buffer.from('whole'));
    const tooShort = instance(await rejects(reader.recvBytesInto(Buffer.alloc(3)), {}), mp.BufferTooShort);
    expect(tooShort.bytes.toString()).to.equal('whole');
    const pending = reader.recv();
    expect(throws(() => reader.recvSync(), {})).to.be.instanceOf(mp.BusyError);
    writer.close();
    expect(await rejects(pending, {})).to.be.instanceOf(mp.EOFError);
    expect(await rejects(writer.send(1), {})).to.be.instanceOf(mp.ClosedError);
    const died = new mp.OwnerDied('Lock', 42, false);
    expect([died.pid, died.certain]).to.deep.equal([42, false]);
  });

  it('of locks distinguish a release too many, a release by another owner, and a closed lock', async () => {
    const lock = new mp.Lock();
    const rlock = new mp.RLock();
    expect(throws(() => lock.release(), {})).to.be.instanceOf(mp.ReleasedTooOften);
    expect(throws(() => rlock.release(), {})).to.be.instanceOf(mp.NotOwner);
    const guard = await rlock.guard();
    expect(throws(() => rlock.release(), {})).to.be.instanceOf(mp.NotOwner);
    guard.release();
    lock.close();
    rlock.close();
    expect(await rejects(lock.acquire(), {})).to.be.instanceOf(mp.ClosedError);
    expect(throws(() => rlock.release(), {})).to.be.instanceOf(mp.ClosedError);
  });

  it("of the operating system have the shape of Node's", async () => {
    const { reader, writer } = makePair('pipe');
    reader.close();
    const error = await rejects(writer.send(1), { code: 'EPIPE', errno: -32, syscall: 'write' });
    expect(error).not.to.be.instanceOf(mp.MultiprocessingError);
    const missing = throws(() => mp.NamedSemaphore.open('/no-such-semaphore'), {
      code: 'ENOENT',
      errno: -2,
      syscall: 'sem_open',
    });
    expect(missing).not.to.be.instanceOf(mp.MultiprocessingError);
  });
});
