// SPDX-License-Identifier: MIT
//
// A listening socket, as this environment uses it. Its descriptor is never passed on, so no other process can have it:
// native/sockets/stream_socket.h relies on that.
import { systemError } from '../core/errors.js';
import { native, READ } from '../native/addon.js';
import { arm, ensureStarted, type Pollable } from '../event-loop/reactor.js';
import { readIpAddress, showAddress, type NativeAddress, type SocketAddress } from './socket-address.js';
import { SocketFile } from './socket-file.js';

/** Where the native layer puts addresses. */
const room = Buffer.alloc(6);

/** A connection that was accepted. */
export interface AcceptedSocket {
  /** The descriptor, which belongs to the caller. */
  readonly fd: number;
  /** The address of the other side; `''` for a unix socket. */
  readonly peer: SocketAddress;
}

function check(status: number, syscall: string, address: SocketAddress): void {
  if (status < 0) throw systemError(status, syscall, showAddress(address));
}

export class ListeningSocket implements Pollable {
  readonly id: number;
  readonly address: SocketAddress;
  readonly #file: SocketFile | undefined;
  #callback: (() => void) | undefined;
  #closed = false;

  /** @param folder The folder that was made for the path, and is removed with it. */
  constructor(address: SocketAddress, where: NativeAddress, folder: string | undefined, backlog: number) {
    ensureStarted();
    this.id = native.sockets.open(where.ip, false);
    check(this.id, 'socket', address);
    try {
      check(native.sockets.bind(this.id, where.ip, where.name, where.port), 'bind', address);
      if (typeof address === 'string' && !address.startsWith('\0')) this.#file = new SocketFile(address, folder);
      check(native.sockets.listen(this.id, backlog), 'listen', address);
      this.address = where.ip ? this.#local() : address;
    } catch (error) {
      this.close();
      throw error;
    }
  }

  get fd(): number {
    return native.fileno(this.id);
  }

  /** Accepts the next connection; undefined if there is none. */
  accept(): AcceptedSocket | undefined {
    const fd = native.sockets.accept(this.id, room);
    if (fd === native.status.again) return undefined;
    if (fd < 0) throw systemError(fd, 'accept');
    return { fd, peer: readIpAddress(room) ?? '' };
  }

  /** Calls `callback`, again and again, while there are connections. Undefined ends that. */
  watch(callback: (() => void) | undefined): Error | undefined {
    if (this.#closed || this.#callback === callback) return undefined;
    this.#callback = callback;
    const failure = arm(this, callback === undefined ? 0 : READ);
    if (failure !== undefined) this.#callback = undefined;
    return failure;
  }

  onReady(): void {
    this.#callback?.();
  }

  close(): void {
    if (this.#closed) return;
    this.watch(undefined);
    this.#closed = true;
    native.release(this.id);
    this.#file?.remove();
  }

  #local(): SocketAddress {
    check(native.sockets.localAddress(this.id, room), 'getsockname', '');
    return readIpAddress(room) ?? '';
  }
}
