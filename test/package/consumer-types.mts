// SPDX-License-Identifier: MIT
//
// Compiled against the declarations of the installed package, as an ES module; never run.
import mp, { Connection, Pipe, wait } from 'node-multiprocessing';
import { ManagedQueue, ManagerClient } from 'node-multiprocessing/managers';
import { RedisError, RedisJoinableQueue, type RedisLease } from 'node-multiprocessing/redis';

const [ours, theirs] = Pipe<string, number>();
export const sent: Promise<void> = ours.send('text');
export const received: Promise<string> = theirs.recv();
export const bytes: Promise<Buffer> = ours.recvBytes();
export const ready: Promise<unknown[]> = wait([ours, theirs], 100);

const [reader, writer] = Pipe<{ id: number }>(false);
export const direction: Promise<void> = writer.send({ id: 1 });
export const item: Promise<{ id: number }> = reader.recv();
// @ts-expect-error A reader does not send.
void reader.send({ id: 1 });

export const adopted: Connection = Connection.fromFd(3);

const managed = new ManagedQueue<{ id: number }>({ lease: 'taskDone' });
export const got: Promise<{ id: number }> = managed.get({ timeout: 1 });
export const client: Promise<ManagerClient> = ManagerClient.connect({ address: '/x', authkey: Buffer.from('key') });
// @ts-expect-error There is no such lease.
new ManagedQueue({ lease: 'ever' });

// The default export is the same as the namespace.
export const alsoOurs: Connection<string, number> = mp.Pipe<string, number>()[0];

const jobs = new RedisJoinableQueue<number>({ client: { duplicate: () => undefined }, name: 'jobs' });
export const job: Promise<RedisLease<number>> = jobs.getLease({ timeout: 1 });
export const isError: boolean = new RedisError('') instanceof mp.RedisError;
