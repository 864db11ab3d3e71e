// SPDX-License-Identifier: MIT
//
// The challenges by which two sides that have the same key convince each other of it, as in CPython's
// multiprocessing/connection.py. The side that listens challenges first; so it never answers anybody who does not have the
// key. Up to Python 3.11 the digest is always MD5 and the sides do not name it; later ones begin with `{name}`. A challenge that
// names SHA-256 suits both, since an older peer takes the name for a part of the random bytes and answers with MD5.
import type Crypto from 'node:crypto';

import { AuthenticationError } from '../core/errors.js';
import { checkBytes } from '../core/validate.js';

/** Loaded when it is needed, since it takes longer than most of this package. */
const crypto = (): typeof Crypto => process.getBuiltinModule('node:crypto');

/** The longest message of an authentication, in bytes. */
export const LONGEST_AUTH_MESSAGE = 256;

const CHALLENGE = Buffer.from('#CHALLENGE#');
const WELCOME = Buffer.from('#WELCOME#');
const FAILURE = Buffer.from('#FAILURE#');

const RANDOM_BYTES = 40;
/** The length of the challenges of Python up to 3.11, and of an MD5, which is what answers them. */
const LEGACY_CHALLENGE_BYTES = 20;
const MD5_BYTES = 16;

/** Python's names of the digests that it accepts, and Node's. */
const DIGESTS: ReadonlyMap<string, string> = new Map([
  ['md5', 'md5'],
  ['sha256', 'sha256'],
  ['sha384', 'sha384'],
  ['sha3_256', 'sha3-256'],
  ['sha3_384', 'sha3-384'],
]);

/** One side of an authentication: yields a message to be sent, or undefined for the next one from the other side. */
export type Talk = Generator<Uint8Array | undefined, void, Buffer>;

/** An `authkey` option, as a copy that nobody else can change. */
export function checkAuthkey(value: unknown): Buffer | undefined {
  return value === undefined ? undefined : Buffer.from(checkBytes(value, 'authkey'));
}

/** The digest that a message names, if it does. */
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

/** What answers a challenge. CPython: `_create_response`. */
export function createResponse(key: Buffer, message: Buffer): Buffer {
  if (message.length < LEGACY_CHALLENGE_BYTES) throw new AuthenticationError('The challenge is too short');
  if (message.length === LEGACY_CHALLENGE_BYTES) return hmac(key, message, 'md5');
  const digest = digestOf(message);
  if (digest === undefined) throw new AuthenticationError('The challenge names no digest that is known');
  return Buffer.concat([Buffer.from(`{${digest}}`), hmac(key, message, digest)]);
}

/** Throws unless `response` answers a challenge. CPython: `_verify_challenge`. */
export function verifyResponse(key: Buffer, message: Buffer, response: Buffer): void {
  const digest = response.length === MD5_BYTES ? 'md5' : digestOf(response);
  if (digest === undefined) throw new AuthenticationError('The answer to the challenge names no digest that is known');
  const given = response.length === MD5_BYTES ? response : response.subarray(digest.length + 2);
  const expected = hmac(key, message, digest);
  if (given.length !== expected.length || !crypto().timingSafeEqual(given, expected)) {
    throw new AuthenticationError('The answer to the challenge is wrong: the other side has another key');
  }
}

/** Has the other side prove that it has the key. CPython: `deliver_challenge`. */
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
    throw new AuthenticationError(
      'Something else arrived where a challenge is due: is there an authkey on one side only?',
    );
  }
  yield createResponse(key, message.subarray(CHALLENGE.length));
  const verdict = yield undefined;
  if (!verdict.equals(WELCOME)) throw new AuthenticationError('The other side has refused this key');
}

/** The side that listens. */
export function* authenticateClient(key: Buffer): Talk {
  yield* deliverChallenge(key);
  yield* answerChallenge(key);
}

/** The side that connects. */
export function* authenticateListener(key: Buffer): Talk {
  yield* answerChallenge(key);
  yield* deliverChallenge(key);
}
