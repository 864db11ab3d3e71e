// SPDX-License-Identifier: MIT
//
// Compiled, never run: the uses that the types must accept, and after each @ts-expect-error a use that they must
// refuse.
/* eslint-disable @typescript-eslint/no-unused-vars, @typescript-eslint/no-unnecessary-type-parameters --
   Values are there for their types. The function that compares these is never called. */
import {
  Connection,
  Pipe,
  wait,
  waitSync,
  type BufferTooShort,
  type ConnectionOptions,
  type Serialization,
  type WaitOptions,
} from 'node-multiprocessing';

interface Job {
  readonly id: number;
}

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only if both types are the same. */
function same<A, B>(_: Equal<A, B>): void {
  // There is nothing to do at run time.
}

export async function onePipe(): Promise<void> {
  const [reader, writer] = Pipe<Job>(false);
  same<typeof reader, Connection<never, Job>>(true);
  same<typeof writer, Connection<Job, never>>(true);
  await writer.send({ id: 1 });
  writer.sendSync({ id: 1 }, { timeout: 5 });
  const job = await reader.recv();
  same<typeof job, Job>(true);
  // @ts-expect-error A reader's end does not send.
  await reader.send({ id: 1 });
  // @ts-expect-error A reader's end does not send.
  reader.sendSync({ id: 1 });
  // @ts-expect-error Not a Job.
  await writer.send({ id: 'one' });
  // @ts-expect-error Not a Job.
  writer.sendSync(1);
  const nothing = await writer.recv();
  same<typeof nothing, never>(true);
}

export async function duplex(): Promise<void> {
  const [a, b] = Pipe<Job, string>();
  same<typeof a, Connection<Job, string>>(true);
  same<typeof b, Connection<string, Job>>(true);
  await a.send({ id: 1 });
  const job: Job = b.recvSync();
  await b.send(String(job.id));
  const text = await a.recv();
  same<typeof text, string>(true);
  // @ts-expect-error The other direction's type.
  await a.send('text');
  // @ts-expect-error The other direction's type.
  b.sendSync({ id: 1 });
  const [same1, same2] = Pipe<number>(true, { serialization: 'json' });
  same<typeof same1, typeof same2>(true);
  const [unknown1] = Pipe();
  same<Awaited<ReturnType<typeof unknown1.recv>>, unknown>(true);
}

export async function results(connection: Connection<Job, Job>): Promise<void> {
  same<ReturnType<typeof connection.tryRecv>, { value: Job } | undefined>(true);
  same<ReturnType<typeof connection.tryRecvBytes>, Buffer | undefined>(true);
  same<ReturnType<typeof connection.recvBytesSync>, Buffer>(true);
  same<ReturnType<typeof connection.recvBytesIntoSync>, number>(true);
  same<ReturnType<typeof connection.poll>, Promise<boolean>>(true);
  same<ReturnType<typeof connection.pollSync>, boolean>(true);
  same<ReturnType<typeof connection.recvHandle>, Promise<number>>(true);
  same<ReturnType<typeof connection.dup>, Connection<Job, Job>>(true);
  for await (const job of connection) same<typeof job, Job>(true);
  connection.ref().unref().close({ discard: true });
  // @ts-expect-error Not an option of close.
  connection.close({ force: true });
  const adopted = Connection.fromFd<Job, string>(3, { readable: true, readAhead: false });
  same<typeof adopted, Connection<Job, string>>(true);
  // @ts-expect-error A descriptor is a number.
  Connection.fromFd('3');
  // @ts-expect-error Connections are made by Pipe and fromFd.
  new Connection(3);
}

export async function buffers(connection: Connection): Promise<void> {
  await connection.sendBytes(new Float64Array(1));
  await connection.sendBytes(new DataView(new ArrayBuffer(8)), 1, 2, { timeout: null });
  connection.sendBytesSync(new ArrayBuffer(1));
  connection.sendBytesSync(new SharedArrayBuffer(1), 0, undefined, { signal: AbortSignal.timeout(1) });
  await connection.recvBytesInto(new Uint16Array(4), 2);
  // @ts-expect-error Text has no bytes of its own.
  await connection.sendBytes('text');
  // @ts-expect-error An array is no buffer.
  await connection.recvBytesInto([1, 2]);
  // @ts-expect-error Sizes are numbers.
  await connection.recvBytes('10');
}

export function aliases(connection: Connection<Job, Job>): void {
  same<(typeof connection)['recv_bytes'], (typeof connection)['recvBytes']>(true);
  same<(typeof connection)['send_bytes'], (typeof connection)['sendBytes']>(true);
  same<(typeof connection)['recv_bytes_into'], (typeof connection)['recvBytesInto']>(true);
  // @ts-expect-error Only eight names have a second spelling.
  connection.send_handle(1);
}

export async function waits(connection: Connection<never, Job>, writer: Connection<Job, never>): Promise<void> {
  const fd: number = connection.fileno();
  const both = await wait([connection, fd]);
  same<typeof both, (number | Connection<never, Job>)[]>(true);
  const alone = waitSync([connection], 10);
  same<typeof alone, Connection<never, Job>[]>(true);
  await wait([connection], { timeout: 5, signal: AbortSignal.abort() });
  waitSync([writer]);
  // @ts-expect-error Not something that can be waited for.
  await wait(['3']);
  // @ts-expect-error A list is needed.
  await wait(connection);
}

export function options(limits: (options: WaitOptions) => void): void {
  const custom: Serialization = { serialize: () => new Uint8Array(1), deserialize: (bytes) => bytes.length };
  const given: ConnectionOptions = { serialization: custom, maxMessageBytes: 5, spinMicros: 0, exitFlushMs: 1 };
  Pipe(true, given);
  // @ts-expect-error No such format.
  Pipe(true, { serialization: 'xml' });
  // @ts-expect-error A serializer has both methods.
  Pipe(true, { serialization: { serialize: () => new Uint8Array(1) } });
  limits({ timeout: undefined, signal: undefined });
  limits({ timeout: null });
  // @ts-expect-error Times are numbers.
  limits({ timeout: '5' });
}

export function errors(error: BufferTooShort): void {
  same<typeof error.code, 'ERR_MP_BUFFER_TOO_SHORT'>(true);
  same<typeof error.bytes, Buffer>(true);
  // @ts-expect-error The code does not change.
  error.code = 'ERR_MP_EOF';
}
