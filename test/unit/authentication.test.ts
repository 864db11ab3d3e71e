// SPDX-License-Identifier: MIT
import { createHmac, randomBytes } from 'node:crypto';

import { expect } from 'chai';

import {
  answerChallenge,
  authenticateClient,
  authenticateListener,
  createResponse,
  deliverChallenge,
  verifyResponse,
  type Talk,
} from '#lib/listener/authentication.js';

import { throws } from '../helpers/index.js';

const KEY = Buffer.from('supadupasecretkey');
const AUTH = { code: 'ERR_MP_AUTHENTICATION', name: 'AuthenticationError' };

/** Runs one side against messages that are already there. Returns what the side sends. */
function converse(talk: Talk, messages: (string | Buffer)[]): string[] {
  const sent: string[] = [];
  const rest = [...messages];
  let next = talk.next();
  while (next.done !== true) {
    if (next.value !== undefined) {
      sent.push(Buffer.from(next.value).toString('latin1'));
      next = talk.next(undefined as never);
    } else {
      const message = rest.shift();
      if (message === undefined) return sent;
      next = talk.next(Buffer.from(message));
    }
  }
  return sent;
}
describe('OtherTest', () => {
  it('test_deliver_challenge_auth_failure refuses a bogus digest', () => {
    throws(() => converse(deliverChallenge(Buffer.from('abc')), ['something bogus']), AUTH);
  });

  it('test_answer_challenge_auth_failure refuses a bogus verdict and a bogus challenge', () => {
    const challenge = `#CHALLENGE#${'x'.repeat(20)}`;
    throws(() => converse(answerChallenge(Buffer.from('abc')), [challenge, 'something bogus']), AUTH);
    throws(() => converse(answerChallenge(Buffer.from('abc')), ['something bogus']), AUTH);
  });
});

describe('ChallengeResponseTest', () => {
  for (const name of [undefined, 'md5', 'sha256', 'sha384', 'sha3_256', 'sha3_384']) {
    it(`test_challengeresponse accepts the right digest (prefix: ${name ?? 'none'})`, () => {
      const prefix = name === undefined ? '' : `{${name}}`;
      const message = Buffer.from(`${prefix}is-twenty-bytes-long`);
      const response = createResponse(KEY, message);
      expect(response.toString('latin1').startsWith(prefix)).to.equal(true);
      const digest = createHmac((name ?? 'md5').replace('_', '-'), KEY)
        .update(message)
        .digest();
      expect(response.subarray(prefix.length).equals(digest)).to.equal(true);
      verifyResponse(KEY, message, response);
      throws(() => {
        verifyResponse(Buffer.from('another key'), message, response);
      }, AUTH);
    });
  }

  it("refuses a message without a digest's name, or with one that is not accepted", () => {
    const rest = 'x'.repeat(40);
    for (const prefix of ['', '{', '{}', '{sha1}', '{sha512}', '{SHA256}', 'x{sha256}', '{sha256', '{constructor}']) {
      throws(() => createResponse(KEY, Buffer.from(prefix + rest)), AUTH);
      throws(() => {
        verifyResponse(KEY, Buffer.from(`{sha256}${rest}`), Buffer.from(prefix + rest));
      }, AUTH);
    }
    for (const length of [0, 1, 8, 19]) throws(() => createResponse(KEY, Buffer.alloc(length)), AUTH);
  });

  it('refuses an answer of another length', () => {
    const message = Buffer.concat([Buffer.from('{sha256}'), randomBytes(40)]);
    const right = createResponse(KEY, message);
    verifyResponse(KEY, message, right);
    for (const wrong of [
      right.subarray(0, -1),
      Buffer.concat([right, Buffer.alloc(1)]),
      right.subarray(0, 8),
      Buffer.alloc(0),
      right.subarray(8),
    ]) {
      throws(() => {
        verifyResponse(KEY, message, wrong);
      }, AUTH);
    }
  });

  it('compares every bit of an answer', () => {
    const message = Buffer.concat([Buffer.from('{sha256}'), randomBytes(40)]);
    const right = createResponse(KEY, message);
    for (let bit = 8 * 8; bit < right.length * 8; bit++) {
      const wrong = Buffer.from(right);
      wrong[bit >> 3]! ^= 1 << (bit & 7);
      throws(() => {
        verifyResponse(KEY, message, wrong);
      }, AUTH);
    }
  });
});

describe('An authentication', () => {
  it('challenges with SHA-256 and 40 random bytes, which are new each time', () => {
    const challenges = new Set<string>();
    for (let i = 0; i < 10; i++) {
      const [challenge] = converse(deliverChallenge(KEY), []);
      expect(challenge).to.match(/^#CHALLENGE#\{sha256\}[^]{40}$/);
      challenges.add(challenge!);
    }
    expect(challenges.size).to.equal(10);
  });

  it('accepts MD5, with which Python up to 3.11 answers', () => {
    const talk = deliverChallenge(KEY);
    const challenge = Buffer.from(talk.next().value as Uint8Array).subarray('#CHALLENGE#'.length);
    talk.next(undefined as never);
    const verdict = talk.next(createHmac('md5', KEY).update(challenge).digest());
    expect(String(verdict.value)).to.equal('#WELCOME#');
    expect(talk.next(undefined as never).done).to.equal(true);
  });

  it('sends a failure when it refuses', () => {
    const talk = deliverChallenge(KEY);
    talk.next();
    talk.next(undefined as never);
    expect(String(talk.next(Buffer.from('bogus')).value)).to.equal('#FAILURE#');
    throws(() => talk.next(undefined as never), AUTH);
  });

  it('answers a client only after the client has proved that it has the key', () => {
    const sent: string[] = [];
    const talk = authenticateClient(KEY);
    sent.push(String(Buffer.from(talk.next().value as Uint8Array).subarray(0, 11)));
    // A challenge comes where the answer to the first challenge is due.
    talk.next(undefined as never);
    sent.push(String(talk.next(Buffer.from(`#CHALLENGE#{sha256}${'x'.repeat(40)}`)).value));
    throws(() => talk.next(undefined as never), AUTH);
    expect(sent).to.deep.equal(['#CHALLENGE#', '#FAILURE#']);
  });

  it('lets the connecting side answer first', () => {
    expect(converse(authenticateListener(KEY), [])).to.deep.equal([]);
  });
});
