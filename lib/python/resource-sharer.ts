// SPDX-License-Identifier: MIT
//
// Connections inside of pickles, as multiprocessing.resource_sharer sends them. The sender keeps a copy of the
// descriptor and puts a ticket into the pickle: the address of its Listener, and a number. The receiver of the pickle
// connects to that address, proves that it has the key of this family of processes, and sends the number; the sender
// answers with the descriptor.
import { sharedReducers, reduceInMessage } from './array-pickles.js';
import { Client, ClientSync } from '../listener/client.js';
import { checkOptions, narrow } from '../connection/options.js';
import { reduceObject } from '../reduction/registry.js';
import type { ConnectionDescriptor } from '../connection/channel-reduction.js';
import { Channel } from '../connection/channel.js';
import { Connection } from '../connection/connection.js';
import { currentProcess } from '../process/current-process.js';
import { millisecondsLeft } from '../core/deadline.js';
import {
  AuthenticationError,
  ClosedError,
  InterruptedError,
  NotSupported,
  TimeoutError,
  UnpicklingError,
} from '../core/errors.js';
import { Listener } from '../listener/listener.js';
import { perEnvironment } from '../core/per-environment.js';
import { native } from '../native/addon.js';
import { ChannelFormat } from '../connection/channel-format.js';
import { DecodeContext, type DescriptorTicket } from '../connection/ticketed-message.js';
import { MessageContext } from '../reduction/attachments.js';
import type { FormatContext } from '../serialization/format-types.js';
import { reducerTable, type PickleHooks } from '../serialization/pickle/hooks.js';
import { create, PythonGlobal, PythonTuple, reduce, type PickleNode } from '../serialization/pickle/nodes.js';
import { sharerPath } from './ticket-address.js';
import { duplicate, type Exporter } from '../reduction/exporters.js';
import type { SocketAddress } from '../listener/socket-address.js';

/** How long a descriptor is kept for the holder of its ticket. */
const LIFETIME_MS = 60_000;

/** How long handing out a descriptor may take. */
const HAND_OUT_MS = 10_000;

/** How long to wait when a Listener cannot accept, for lack of descriptors. */
const PAUSE_MS = 100;

const DUP_FD = new PythonGlobal('multiprocessing.resource_sharer', 'DupFd');
const REBUILD = new PythonGlobal('multiprocessing.connection', 'rebuild_connection');

/** The descriptors that are kept, and the Listener, which exists while there are any. */
class Sharer {
  readonly #kept = new Map<number, { readonly fd: number; readonly timer: NodeJS.Timeout }>();
  #listener: Listener<never> | undefined;
  #last = 0;

  /** Keeps a copy of a descriptor. Returns the ticket for it, and a function that takes it back. */
  keep(fd: number): { readonly address: SocketAddress; readonly key: number; cancel(): void } {
    const copy = duplicate(fd);
    let listener: Listener<never>;
    try {
      listener = this.#listener ??= this.#listen();
    } catch (error) {
      native.closeDescriptor(copy);
      throw error;
    }
    const key = ++this.#last;
    const cancel = (): void => {
      const kept = this.#take(key);
      if (kept !== undefined) native.closeDescriptor(kept);
    };
    this.#kept.set(key, { fd: copy, timer: setTimeout(cancel, LIFETIME_MS).unref() });
    return { address: listener.address, key, cancel };
  }

  /** Takes out the descriptor for a number. */
  #take(key: unknown): number | undefined {
    const kept = this.#kept.get(key as number);
    if (kept === undefined) return undefined;
    clearTimeout(kept.timer);
    this.#kept.delete(key as number);
    if (this.#kept.size === 0) {
      this.#listener?.close();
      this.#listener = undefined;
    }
    return kept.fd;
  }

  #listen(): Listener<never> {
    const { authkey } = currentProcess();
    const listener = new Listener<never>({ authkey, serialization: 'pickle', maxMessageBytes: 1024 }).unref();
    void this.#serve(listener);
    return listener;
  }

  async #serve(listener: Listener<never>): Promise<void> {
    for (;;) {
      try {
        void this.#hand((await listener.accept()).unref());
      } catch (error) {
        if (error instanceof ClosedError) return;
        if (error instanceof AuthenticationError) continue;
        await new Promise((resolve) => setTimeout(resolve, PAUSE_MS).unref());
      }
    }
  }

  /** Sends the descriptor that the peer asks for, if it is there. Otherwise the peer sees the end of the connection. */
  async #hand(connection: Connection<never, unknown>): Promise<void> {
    let fd: number | undefined;
    try {
      const request = await connection.recv({ timeout: HAND_OUT_MS });
      fd = Array.isArray(request) ? this.#take(request[0]) : undefined;
      if (fd !== undefined) await connection.sendHandle(fd, { timeout: HAND_OUT_MS });
    } catch {
      // The peer has given up. Its ticket is used up, and the descriptor is closed.
    } finally {
      if (fd !== undefined) native.closeDescriptor(fd);
      connection.close();
    }
  }
}

/** State that an environment has once, as in reactor.ts. */
const sharer = perEnvironment('python/resource-sharer', () => new Sharer());

function uncollected(error: unknown): Error {
  const text = `A Connection in a message could not be collected from its sender: ${(error as Error).message}`;
  return new UnpicklingError(text, { cause: error });
}

/** The right to a descriptor that another process keeps. */
class SharedDescriptor implements DescriptorTicket {
  readonly #address: string;
  readonly #key: number;

  constructor(address: string, key: number) {
    this.#address = address;
    this.#key = key;
  }

  get #options(): { authkey: Buffer; serialization: 'pickle' } {
    return { authkey: currentProcess().authkey, serialization: 'pickle' };
  }

  async collect(deadline: number): Promise<number> {
    try {
      const path = sharerPath(this.#address);
      const connection = await Client(path, { ...this.#options, timeout: millisecondsLeft(deadline) });
      try {
        await connection.send([this.#key, process.pid]);
        return await connection.recvHandle({ timeout: millisecondsLeft(deadline) });
      } finally {
        connection.close();
      }
    } catch (error) {
      throw uncollected(error);
    }
  }

  collectSync(deadline: number, limit: number): number {
    let connection: Connection;
    try {
      const timeout = millisecondsLeft(Math.min(deadline, limit));
      connection = ClientSync(sharerPath(this.#address), { ...this.#options, timeout });
    } catch (error) {
      if (error instanceof InterruptedError) throw error;
      if (error instanceof TimeoutError && millisecondsLeft(deadline) === 0) throw error;
      throw uncollected(error);
    }
    // The sender takes a number once only, so from here on the call goes through with it.
    try {
      connection.sendSync([this.#key, process.pid]);
      for (;;) {
        try {
          return connection.recvHandleSync({ timeout: millisecondsLeft(limit) });
        } catch (error) {
          if (!(error instanceof InterruptedError)) throw error;
        }
      }
    } catch (error) {
      throw uncollected(error);
    } finally {
      connection.close();
    }
  }
}

/** A `DupFd` of a pickle. */
class DupFd {
  descriptor: SharedDescriptor | undefined;
}

/** Stands for a Connection until its descriptor has been collected. The value around it is thrown away then. */
const PLACEHOLDER = Object.freeze({});

const reducers = reducerTable({
  ...sharedReducers,
  [DUP_FD.module]: {
    [DUP_FD.name]: {
      call: () => new DupFd(),
      build(object, state) {
        const id = (state as { _id?: unknown } | null)?._id;
        const [address, key] = Array.isArray(id) ? (id as unknown[]) : [];
        if (typeof address !== 'string' || typeof key !== 'number')
          throw new TypeError('it is not a ticket of this system');
        (object as DupFd).descriptor = new SharedDescriptor(address, key);
        return undefined;
      },
    },
  },
  [REBUILD.module]: {
    [REBUILD.name]: {
      call([source, readable, writable], _budget, _keywords, context) {
        if (!(context instanceof DecodeContext)) {
          throw new TypeError('only recv() of a Connection with takesConnections can collect its descriptor');
        }
        if (!(source instanceof DupFd) || source.descriptor === undefined) throw new TypeError('it is not a DupFd');
        if (typeof readable !== 'boolean' || typeof writable !== 'boolean') throw new TypeError('it has no direction');
        const fd = context.claim(source.descriptor);
        if (fd === undefined) return PLACEHOLDER;
        const connection = rebuild(fd, readable, writable);
        context.onFailure(() => {
          connection.close();
        });
        return connection;
      },
    },
  },
});

function rebuild(fd: number, readable: boolean, writable: boolean): Connection {
  try {
    const channel = Channel.adopt(fd, checkOptions({}, false), (can) => narrow({ readable, writable }, can));
    return Connection.over(channel, new ChannelFormat('pickle', false));
  } catch (error) {
    native.closeDescriptor(fd);
    throw error;
  }
}

/** The form of a Connection in a pickle. If the rest of the value cannot be pickled, the descriptor is taken back. */
function reduceConnection(connection: Connection<never, unknown>, context: FormatContext | undefined): PickleNode {
  const given = new MessageContext();
  if (context instanceof MessageContext) context.onFailure(() => given.failed());
  let ticket: ReturnType<Sharer['keep']> | undefined;
  const exporter: Exporter = {
    recorded: false,
    serialization: 'pickle',
    toOneProcess: false,
    continues: false,
    descriptor(fd) {
      ticket = sharer.keep(fd);
      given.onFailure(ticket.cancel);
      return { fd };
    },
    semaphore() {
      throw new NotSupported('A semaphore cannot be part of a pickle');
    },
    onFailure: (undo) => given.onFailure(undo),
  };
  try {
    const { readable, writable } = reduceObject(connection, exporter) as ConnectionDescriptor;
    const { address, key } = ticket as unknown as ReturnType<Sharer['keep']>;
    return reduce(REBUILD, [create(DUP_FD, [], { _id: new PythonTuple([address, key]) }), readable, writable]);
  } catch (error) {
    given.failed();
    throw error;
  }
}

/** Lets pickles on channels hold Connections. */
export const connectionHooks: PickleHooks = {
  reduce: (object, context) =>
    object instanceof Connection
      ? reduceConnection(object as Connection<never, unknown>, context)
      : reduceInMessage(object, context),
  reducers,
};
