// SPDX-License-Identifier: MIT
//
// Every argument of every method of a Connection: a bad value is refused with a TypeError or RangeError that names the
// argument, before anything happens.
import { expect } from 'chai';
import { Pipe } from 'node-multiprocessing';

import { makePair, modes, refuses, throws, type AnyConnection, type Mode } from '../helpers/index.js';
import { badOptions, neverThrowing, RANGE, TYPE } from '../helpers/arguments.js';

type Method = (...args: unknown[]) => unknown;

const buffer = Buffer.alloc(26);

const notBuffers = ['text', null, undefined, 5, {}, [1, 2]];
const badNumbers: [unknown, string][] = [
  [-1, RANGE],
  [1.5, RANGE],
  [NaN, RANGE],
  [Infinity, RANGE],
  [27, RANGE],
  ['1', TYPE],
  [null, TYPE],
  [1n, TYPE],
];

/**
 * Calls of one method with one bad argument each: the method, its arguments, the name in the error's message, the
 * error's code.
 */
function cases(): [string, unknown[], string, string][] {
  return [
    ...badOptions.flatMap(([options, name, code]): [string, unknown[], string, string][] => [
      ['send', [1, options], name, code],
      ['sendBytes', [buffer, 0, 26, options], name, code],
      ['recv', [options], name, code],
      ['recvBytes', [100, options], name, code],
      ['recvBytesInto', [buffer, 0, options], name, code],
      ['sendHandle', [0, options], name, code],
      ['recvHandle', [options], name, code],
    ]),
    ...notBuffers.flatMap((value): [string, unknown[], string, string][] => [
      ['sendBytes', [value], 'buffer', TYPE],
      ['recvBytesInto', [value], 'buffer', TYPE],
    ]),
    ...badNumbers.flatMap(([value, code]): [string, unknown[], string, string][] => [
      ['sendBytes', [buffer, value], 'offset', code],
      ['sendBytes', [buffer, 0, value], 'size', code],
      ['recvBytesInto', [buffer, value], 'offset', code],
    ]),
    ...badNumbers
      .filter(([value]) => value !== 27)
      .flatMap(([value, code]): [string, unknown[], string, string][] => [
        ['recvBytes', [value], 'maxLength', code],
        ['sendHandle', [value], 'fd', code],
      ]),
    ['sendBytes', [buffer, 22, 5], 'size', RANGE],
    ['sendBytes', [buffer, 26, 1], 'size', RANGE],
    ['sendBytes', [buffer, 4, -1], 'size', RANGE],
    ['sendHandle', [2 ** 31], 'fd', RANGE],
    ['sendHandle', [undefined], 'fd', TYPE],
    ['poll', [NaN], 'timeout', RANGE],
    ['poll', ['5'], 'timeout', TYPE],
    ['poll', [{}], 'timeout', TYPE],
  ];
}

function method(connection: AnyConnection, name: string, mode: Mode): Method {
  const methods = connection as unknown as Record<string, Method>;
  return (...args) => (methods[mode === 'sync' ? `${name}Sync` : name] as Method).apply(connection, args);
}

describe('Arguments of a Connection', () => {
  for (const mode of modes) {
    for (const name of new Set(cases().map(([method]) => method))) {
      const calls = cases().filter(([method]) => method === name);
      it(`make ${name} refuse ${calls.length} bad calls, without an effect (${mode})`, async () => {
        const { reader, writer } = makePair('socketpair');
        await writer.sendBytes(Buffer.from('stays'));
        for (const connection of [reader, writer]) {
          if (connection === writer && !name.startsWith('send')) continue;
          for (const [, args, argument, code] of calls) {
            const call = method(connection, name, mode);
            await refuses(mode === 'async' ? neverThrowing(() => call(...args)) : () => call(...args), argument, code);
          }
        }
        expect(String(await reader.recvBytes())).to.equal('stays');
        expect(await reader.poll()).to.equal(false);
        expect(await writer.poll()).to.equal(false);
      });
    }
  }

  it('make Pipe refuse values that are no boolean, and bad options', () => {
    for (const duplex of [1, 0, null, 'true', {}]) throws(() => Pipe(duplex as never), { code: TYPE });
    for (const [options, code] of [
      [{ serialization: 'xml' }, TYPE],
      [{ maxMessageBytes: -1 }, RANGE],
      [{ maxMessageBytes: NaN }, RANGE],
      [{ maxMessageBytes: '1' }, TYPE],
      [{ readAhead: 'no' }, TYPE],
      [{ spinMicros: 1e7 }, RANGE],
      [{ asyncSpinMicros: 1e7 }, RANGE],
      [{ asyncSpinMicros: '5' }, TYPE],
      [{ exitFlushMs: {} }, TYPE],
      [null, TYPE],
      [7, TYPE],
    ] as [never, string][]) {
      throws(() => Pipe(true, options), { code });
      throws(() => Pipe(false, options), { code });
    }
  });

  it('make close refuse bad options, and nothing is closed', async () => {
    const { reader, writer } = makePair('pipe');
    for (const options of [{ discard: 1 }, { discard: 'no' }, { discard: null }, null, 7]) {
      await refuses(
        () => {
          writer.close(options as never);
        },
        typeof options === 'object' && options !== null ? 'discard' : 'options',
        TYPE,
      );
    }
    await writer.sendBytes(Buffer.from('still open'));
    expect(String(await reader.recvBytes())).to.equal('still open');
  });
});
