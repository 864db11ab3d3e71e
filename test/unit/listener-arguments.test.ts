// SPDX-License-Identifier: MIT
import { expect } from 'chai';
import { Client, ClientSync, Listener, type SocketAddress } from 'node-multiprocessing';

import { badOptions, neverThrowing, RANGE, TYPE } from '../helpers/arguments.js';
import { acceptVia, connectVia, optionsFor, ownTmpdir, refuses, trackListener } from '../helpers/index.js';

const KEY = Buffer.from('a key of this test');
describe('Arguments of Listener and Client', () => {
  ownTmpdir();

  const badAddresses: [unknown, string, string][] = [
    [5, 'address', TYPE],
    [{}, 'address', TYPE],
    [true, 'address', TYPE],
    [Buffer.from('/tmp/x'), 'address', TYPE],
    ['', 'address', RANGE],
    ['\0', 'address', RANGE],
    ['/tmp/a\0b', 'address', RANGE],
    [`/tmp/${'x'.repeat(200)}`, 'address', RANGE],
    [`\0${'x'.repeat(200)}`, 'address', RANGE],
    [['localhost'], 'address', TYPE],
    [['localhost', 1, 2], 'address', TYPE],
    [[5, 80], 'address[0]', TYPE],
    [['example.org', 80], 'address[0]', RANGE],
    [['::1', 80], 'address[0]', RANGE],
    [['127.0.0.1.', 80], 'address[0]', RANGE],
    [['8.8.8.8', 80], 'address[0]', RANGE],
    [['localhost', '80'], 'address[1]', TYPE],
    [['localhost', -1], 'address[1]', RANGE],
    [['localhost', 65536], 'address[1]', RANGE],
    [['localhost', 1.5], 'address[1]', RANGE],
    [['localhost', NaN], 'address[1]', RANGE],
  ];
  const badCommon: [Record<string, unknown>, string, string][] = [
    [{ authkey: 'a string' }, 'authkey', TYPE],
    [{ authkey: 5 }, 'authkey', TYPE],
    [{ authkey: null }, 'authkey', TYPE],
    [{ authkey: [1, 2] }, 'authkey', TYPE],
    [{ remote: 1 }, 'remote', TYPE],
    [{ family: 'AF_INET6' }, 'family', RANGE],
    [{ family: 2 }, 'family', RANGE],
    [{ serialization: 'xml' }, 'serialization', TYPE],
    [{ maxMessageBytes: -1 }, 'maxMessageBytes', RANGE],
    [{ readAhead: 1 }, 'readAhead', TYPE],
    [{ spinMicros: '5' }, 'spinMicros', TYPE],
    [{ exitFlushMs: NaN }, 'exitFlushMs', RANGE],
  ];
  const badListening: [Record<string, unknown>, string, string][] = [
    [{ backlog: -1 }, 'backlog', RANGE],
    [{ backlog: '5' }, 'backlog', TYPE],
    [{ authTimeout: '5' }, 'authTimeout', TYPE],
    [{ authTimeout: NaN }, 'authTimeout', RANGE],
    [{ maxHandshakes: 0 }, 'maxHandshakes', RANGE],
    [{ maxHandshakes: 'x' }, 'maxHandshakes', TYPE],
  ];

  it('with wrong addresses are named, and nothing is opened', async () => {
    for (const [address, name, code] of badAddresses) {
      await refuses(() => new Listener({ address: address as SocketAddress }), name, code);
      await refuses(
        neverThrowing(() => Client(address as SocketAddress)),
        name,
        code,
      );
      await refuses(() => ClientSync(address as SocketAddress), name, code);
    }
    await refuses(() => Client(['localhost', 0]), 'address[1]', RANGE);
    await refuses(() => Client(undefined as never), 'address', TYPE);
  });

  it('with wrong options are named', async () => {
    for (const [options, name, code] of [...badCommon, ...badListening]) {
      await refuses(() => new Listener(options), name, code);
    }
    for (const [options, name, code] of badCommon) {
      await refuses(
        neverThrowing(() => Client('/nowhere', options as never)),
        name,
        code,
      );
      await refuses(() => ClientSync('/nowhere', options as never), name, code);
    }
    for (const options of [null, 5, 'x']) {
      await refuses(() => new Listener(options as never), 'options', TYPE);
      await refuses(() => Client('/nowhere', options as never), 'options', TYPE);
    }
  });

  it('with wrong options for waiting are named', async () => {
    const listener = trackListener(new Listener());
    for (const [options, name, code] of badOptions) {
      await refuses(
        neverThrowing(() => listener.accept(options as never)),
        name,
        code,
      );
      await refuses(() => listener.acceptSync(options as never), name, code);
      await refuses(
        neverThrowing(() => Client('/nowhere', options as never)),
        name,
        code,
      );
    }
  });

  it('test_invalid_family names a family that the system or the address does not have', async () => {
    await refuses(() => new Listener({ address: '\\\\.\\test' }), 'address', RANGE);
    await refuses(() => Client('\\\\.\\test'), 'address', RANGE);
    await refuses(() => new Listener({ family: 'AF_PIPE' as never }), 'family', RANGE);
    await refuses(() => new Listener({ ...optionsFor('unix'), address: '/tmp/x', family: 'AF_INET' }), 'family', RANGE);
    await refuses(() => Client(['localhost', 80], { family: 'AF_UNIX' }), 'family', RANGE);
    trackListener(new Listener({ address: ['localhost', 0], family: 'AF_INET' }));
  });

  it('may have a key in any memory of bytes, which is copied', async () => {
    const key = Uint8Array.from(KEY);
    const listener = trackListener(new Listener({ authkey: key.buffer }));
    key.fill(0);
    const accepted = acceptVia('async', listener);
    const view = new DataView(Uint8Array.from([0, ...KEY, 0]).buffer, 1, KEY.length);
    const connected = await connectVia('async', listener.address, { authkey: view });
    await connected.send('the same key');
    expect(await (await accepted).recv()).to.equal('the same key');
  });
});
