// SPDX-License-Identifier: MIT
//
// The challenges by which two sides prove to each other that they have the same key, as in CPython's
// multiprocessing/connection.py. The listening side challenges first, so it never answers a peer that does not have the
// key. Up to Python 3.11 the digest is always MD5, and the sides do not name it. Messages of later versions begin with
// `{name}`. A challenge that names SHA-256 suits both, since an older peer takes the name for a part of the random
// bytes and answers with MD5.
import type Crypto from 'node:crypto';

import { AuthenticationError } from '../core/errors.js';
import { checkBytes } from '../core/validate.js';

/** Loaded when it is needed, since loading it takes longer than loading most of this package. */
const crypto = (): typeof Crypto => process.getBuiltinModule('node:crypto');

/** The longest message of an authentication, in bytes. */
export const LONGEST_AUTH_MESSAGE = 256;

const CHALLENGE = Buffer.from('#CHALLENGE#');
const WELCOME = Buffer.from('#WELCOME#');
const FAILURE = Buffer.from('#FAILURE#');

const RANDOM_BYTES = 40;
/** The lengths of the challenges of Python up to 3.11, and of the MD5 that answers them. */
const LEGACY_CHALLENGE_BYTES = 20;
const MD5_BYTES = 16;

/** The digests that Python accepts: its names for them, and Node's. */
const DIGESTS: ReadonlyMap<string, string> = new Map([
  ['md5', 'md5'],
  ['sha256', 'sha256'],
  ['sha384', 'sha384'],
  ['sha3_256', 'sha3-256'],
  ['sha3_384', 'sha3-384'],
]);

/**
 * One side of an authentication. It yields a message to send, or undefined to receive the next one from the other side.
 */
export type Talk = Generator<Uint8Array | undefined, void, Buffer>;

/** Checks an `authkey` option. Returns a copy, which the caller cannot change. */
export function checkAuthkey(value: unknown): Buffer | undefined {
  return value === undefined ? undefined : Buffer.from(checkBytes(value, 'authkey'));
}

/** The digest that a message names, if any. */
function digestOf(message: Buffer): string | undefined {
  const [, name] = /^\{(\w+)\}/.exec(message.toString('latin1', 0, 12)) ?? [];
  return name !== undefined && DIGESTS.has(name) ? name : undefined;
}

function hmac(key: Buffer, message: Buffer, digest: string): Buffer {
  try {
    return crypto()
      .createHmac(DIGESTS.get(digest) as string, key)
      .update(message)
      .digest();
  } catch (error) {
    throw new AuthenticationError(`The digest ${digest}, which the other side needs, is not available`, {
      cause: error,
    });
  }
}

/** The answer to a challenge. CPython: `_create_response`. */
export function createResponse(key: Buffer, message: Buffer): Buffer {
  if (message.length < LEGACY_CHALLENGE_BYTES) throw new AuthenticationError('The challenge is too short');
  if (message.length === LEGACY_CHALLENGE_BYTES) return hmac(key, message, 'md5');
  const digest = digestOf(message);
  if (digest === undefined) throw new AuthenticationError('The challenge does not name a known digest');
  return Buffer.concat([Buffer.from(`{${digest}}`), hmac(key, message, digest)]);
}

/** Throws unless `response` answers a challenge. CPython: `_verify_challenge`. */
export function verifyResponse(key: Buffer, message: Buffer, response: Buffer): void {
  const digest = response.length === MD5_BYTES ? 'md5' : digestOf(response);
  if (digest === undefined) throw new AuthenticationError('The answer to the challenge does not name a known digest');
  const given = response.length === MD5_BYTES ? response : response.subarray(digest.length + 2);
  const expected = hmac(key, message, digest);
  if (given.length !== expected.length || !crypto().timingSafeEqual(given, expected)) {
    throw new AuthenticationError('The answer to the challenge is wrong: the other side has another key');
  }
}

/** Requires the other side to prove that it has the key. CPython: `deliver_challenge`. */
export function* deliverChallenge(key: Buffer): Talk {
  const message = Buffer.concat([Buffer.from('{sha256}'), crypto().randomBytes(RANDOM_BYTES)]);
  yield Buffer.concat([CHALLENGE, message]);
  const response = yield undefined;
  try {
    verifyResponse(key, message, response);
  } catch (error) {
    yield FAILURE;
    throw error;
  }
  yield WELCOME;
}

/** Proves to the other side that this one has the key. CPython: `answer_challenge`. */
export function* answerChallenge(key: Buffer): Talk {
  const message = yield undefined;
  if (!message.subarray(0, CHALLENGE.length).equals(CHALLENGE)) {
    throw new AuthenticationError('The message is not a challenge: is there an authkey on one side only?');
  }
  yield createResponse(key, message.subarray(CHALLENGE.length));
  const verdict = yield undefined;
  if (!verdict.equals(WELCOME)) throw new AuthenticationError('The other side has refused this key');
}

/** The listening side. */
export function* authenticateClient(key: Buffer): Talk {
  yield* deliverChallenge(key);
  yield* answerChallenge(key);
}

/** The connecting side. */
export function* authenticateListener(key: Buffer): Talk {
  yield* answerChallenge(key);
  yield* deliverChallenge(key);
}
