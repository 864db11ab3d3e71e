// SPDX-License-Identifier: MIT
//
// Compiled, never run: the uses that the types must accept, and after each @ts-expect-error a use that they must
// refuse.
/* eslint-disable @typescript-eslint/no-unused-vars, @typescript-eslint/no-unnecessary-type-parameters --
   Values are there for their types. The function that compares these is never called. */
import { Client, ClientSync, Listener, type Connection, type SocketAddress } from 'node-multiprocessing';

interface Job {
  readonly id: number;
}

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;

/** Compiles only if both types are the same. */
function same<A, B>(_: Equal<A, B>): void {
  // There is nothing to do at run time.
}

export async function listening(): Promise<void> {
  const listener = new Listener<Job, string>({ authkey: new Uint8Array(4), serialization: 'json' });
  const accepted = await listener.accept({ timeout: 5 });
  same<typeof accepted, Connection<Job, string>>(true);
  const blocking = listener.acceptSync();
  same<typeof blocking, Connection<Job, string>>(true);
  same<typeof listener.address, SocketAddress>(true);
  same<typeof listener.lastAccepted, SocketAddress | undefined>(true);
  for await (const connection of listener) same<typeof connection, Connection<Job, string>>(true);
  const any = await new Listener().accept();
  same<typeof any, Connection>(true);
  // @ts-expect-error A key is bytes.
  new Listener({ authkey: 'secret' });
  // @ts-expect-error There is no such family.
  new Listener({ family: 'AF_INET6' });
  // @ts-expect-error A port is a number.
  new Listener({ address: ['localhost', '80'] });
}

export async function connecting(): Promise<void> {
  const job = await Client<Job>('/a/path', { timeout: 5, signal: AbortSignal.timeout(5), authkey: Buffer.from('key') });
  same<typeof job, Connection<Job>>(true);
  const blocking = ClientSync<Job, string>(['localhost', 80]);
  same<typeof blocking, Connection<Job, string>>(true);
  // @ts-expect-error There is no default.
  await Client();
  // @ts-expect-error A key is bytes.
  await Client('/a/path', { authkey: 'secret' });
}
