// SPDX-License-Identifier: MIT
//
// The addresses that Listener and Client take.

import { argumentError, NotSupported } from '../core/errors.js';
import { checkBoolean, checkInteger } from '../core/validate.js';

/**
 * The address of a Listener: the path of a unix socket; its abstract name, which begins with a zero byte (Linux only);
 * or the host and port of a TCP socket, where the host is an IPv4 address or `'localhost'`. CPython: the same.
 */
export type SocketAddress = string | readonly [host: string, port: number];

/** CPython's names for the two kinds of sockets. */
export type SocketFamily = 'AF_UNIX' | 'AF_INET';

/** An address in the form of the native layer. */
export interface NativeAddress {
  readonly ip: boolean;
  /** Four bytes of an IPv4 address, or the bytes of a path or of an abstract name. */
  readonly name: Uint8Array;
  readonly port: number;
}

/** The length of a socket's `sun_path` without the zero byte at its end. */
export const LONGEST_PATH = process.platform === 'darwin' ? 103 : 107;

const LONGEST_SHOWN = 120;

/** An address in the text of errors. */
export function showAddress(address: SocketAddress): string {
  if (typeof address !== 'string') return `${address[0]}:${address[1]}`;
  const text = address.replaceAll('\0', '@');
  return text.length > LONGEST_SHOWN ? `${text.slice(0, LONGEST_SHOWN)}...` : text;
}

function checkUnix(address: string): NativeAddress {
  const name = Buffer.from(address);
  const abstract = address.startsWith('\0');
  if (abstract && process.platform !== 'linux') {
    throw new NotSupported('address: only Linux has abstract names, which begin with a zero byte');
  }
  if (address.startsWith('\\\\')) throw argumentError('range', 'address must not be the name of a Windows pipe');
  if (address === '' || address === '\0') throw argumentError('range', 'address must not be empty');
  const [, host, port] = /^([\w.-]*):(\d+)$/.exec(address) ?? [];
  if (port !== undefined) {
    throw argumentError('range', `address must be ['${host}', ${port}] for TCP; a path like this begins with ./`);
  }
  if (!abstract && address.includes('\0')) throw argumentError('range', 'address must be a path without zero bytes');
  const longest = abstract ? LONGEST_PATH + 1 : LONGEST_PATH;
  if (name.length > longest) {
    throw argumentError('range', `address must have at most ${longest} bytes, not ${name.length}`);
  }
  return { ip: false, name, port: 0 };
}

function checkIp(address: readonly unknown[], remote: boolean, anyPort: boolean): NativeAddress {
  const [host, port] = address;
  if (address.length !== 2) throw argumentError('type', 'address must be a string or [host, port]');
  if (typeof host !== 'string') throw argumentError('type', 'address[0] must be a string, the host');
  checkInteger(port, 'address[1]', anyPort ? 0 : 1, 0xffff);
  // Other names would have to be looked up, and a lookup waits.
  const ip = host === 'localhost' ? '127.0.0.1' : host === '' ? '0.0.0.0' : host;
  // Loaded when it is needed: few processes use addresses.
  if (!process.getBuiltinModule('node:net').isIPv4(ip))
    throw argumentError('range', "address[0] must be 'localhost' or an IPv4 address");
  const name = Uint8Array.from(ip.split('.'), Number);
  if (name[0] !== 127 && !remote) {
    throw argumentError('range', `address[0] must be a loopback address, not ${ip}, unless remote is true`);
  }
  return { ip: true, name, port };
}

/** Checks an address. With `anyPort`, the port may be 0, for which the system chooses one. */
export function checkAddress(
  address: unknown,
  family: SocketFamily | undefined,
  remote: boolean,
  anyPort: boolean,
): NativeAddress {
  if (typeof address !== 'string' && !Array.isArray(address)) {
    throw argumentError('type', 'address must be a string or [host, port]');
  }
  const found: SocketFamily = typeof address === 'string' ? 'AF_UNIX' : 'AF_INET';
  if (family !== undefined && family !== found) {
    throw argumentError('range', `family must be ${found} for this address, not ${family}`);
  }
  return typeof address === 'string' ? checkUnix(address) : checkIp(address, remote, anyPort);
}

/** Checks the options that limit the addresses. */
export function checkFamily(options: { family?: unknown; remote?: unknown }): {
  family: SocketFamily | undefined;
  remote: boolean;
} {
  const { family, remote = false } = options;
  checkBoolean(remote, 'remote');
  if (family !== undefined && family !== 'AF_UNIX' && family !== 'AF_INET') {
    throw argumentError('range', `family must be 'AF_UNIX' or 'AF_INET'`);
  }
  return { family, remote };
}

/** The address that the native layer has written; undefined if it belongs to a unix socket. */
export function readIpAddress(bytes: Buffer): readonly [string, number] | undefined {
  const port = bytes.readUInt16BE(4);
  return port === 0 ? undefined : [bytes.subarray(0, 4).join('.'), port];
}
