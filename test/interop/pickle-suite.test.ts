// SPDX-License-Identifier: MIT
//
// The tests of pickles that each CPython brings along (test.pickletester), with Node between dumps and loads: the value
// of each pickle is equal, or is what docs/python.md says, or the pickle is refused. None is wrong in silence.
import { spawnSync } from 'node:child_process';

import { expect } from 'chai';
import { pickle } from 'node-multiprocessing';

import { foreignEnv, makePair, pythonPeer, pythons, spawnPeer } from '../helpers/index.js';

interface Report {
  readonly run: number;
  readonly skipped: readonly string[];
  /** The last line of each failure, by the name of the test. */
  readonly failed: Readonly<Record<string, readonly string[]>>;
}

/** Tests that fail because of what docs/python.md says about values, or that test the Pickler itself. */
const documented: Readonly<Record<string, string>> = {
  test_compat_pickle: 'a defaultdict comes back as a dict',
  test_float: 'a float that is a whole number comes back as an int',
  test_unicode_memoization: 'a str that occurs twice is not one object',
  test_load_long_python2_str_as_bytes: 'a str of Python 2 that is ASCII is a str',
  test_load_global: 'a name that is not of this encoding is unknown in Python, too',
};

/** Tests with pickles that are refused: extension codes, out-of-band buffers, damaged ones, methods and the like. */
const refused = new Set([
  'test_bad_ext_code',
  'test_bad_ext_inverted_registry',
  'test_bad_newobj',
  'test_bad_newobj_ex',
  'test_bad_reduce',
  'test_badly_escaped_string',
  'test_badly_quoted_string',
  'test_buffers_error',
  'test_buffers_numpy',
  'test_c_methods',
  'test_complex_newobj_ex',
  'test_global_ext1',
  'test_global_ext2',
  'test_global_ext4',
  'test_load_python2_str_as_bytes',
  'test_load_stack_global',
  'test_maxint64',
  'test_misc_get',
  'test_negative_put',
  'test_oob_buffers',
  'test_oob_buffers_writable_to_readonly',
  'test_proto',
  'test_py_methods',
  'test_reduce',
  'test_truncated_data',
]);

/** The pickle that this process makes of the value of a pickle; empty if it refuses it. */
function answer(bytes: Buffer): Uint8Array {
  try {
    return pickle.dumps(pickle.loads(bytes, { unknown: 'opaque' }));
  } catch (error) {
    expect((error as NodeJS.ErrnoException).code).to.be.oneOf(['ERR_MP_PICKLING', 'ERR_MP_UNPICKLING']);
    return Buffer.alloc(0);
  }
}

const suites = pythons().filter(
  ({ path }) => spawnSync(path, ['-c', 'import test.pickletester'], { env: foreignEnv() }).status === 0,
);
if (suites.length === 0) console.log('No Python here has its own tests, so those of pickles do not run');

describe("CPython's own tests of pickles", () => {
  for (const python of suites) {
    it(`pass with Node between dumps and loads, or are refused or documented (Python ${python.version})`, async () => {
      const { reader, writer } = makePair('socketpair');
      const peer = spawnPeer(pythonPeer(python, 'pickletester_peer'), { fds: [writer] });
      let report: Report | undefined;
      while (report === undefined) {
        const message = await reader.recvBytes();
        if (message[0] === 'r'.charCodeAt(0)) report = JSON.parse(message.toString('utf8', 1)) as Report;
        else await reader.sendBytes(answer(message.subarray(1)));
      }
      reader.close();
      await peer.succeeded();
      expect(report.run).to.be.greaterThan(100);
      for (const [name, reasons] of Object.entries(report.failed)) {
        if (reasons.every((reason) => reason.endsWith('Refused'))) expect([...refused]).to.include(name);
        else expect(Object.keys(documented), `${name}: ${reasons.join('; ')}`).to.include(name);
      }
    });
  }
});
