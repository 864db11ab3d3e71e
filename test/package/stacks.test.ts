// SPDX-License-Identifier: MIT
//
// What a user sees of an error that nothing catches, or that a mistake causes: lines of the user's own program, none of the
// files of this package. The programs use the built package.
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { expect } from 'chai';

import { packageRoot } from '../helpers/index.js';

const folder = join(packageRoot, 'out', 'stacks');

/** What Node prints for the program, whose error nothing catches. */
interface Printed {
  /** The file and line above the printed line of source; undefined if none is printed. */
  readonly source: string | undefined;
  /** The places of the calls, innermost first, and functions that have no file. */
  readonly calls: readonly string[];
  /** The file and line of the call that is marked in the program. */
  readonly marked: string;
}

const MARK = ' // The mistake.';

/** Runs a program that has one line with the mark. The file is below the folder of the package, so that its name resolves. */
function run(extension: 'mjs' | 'cjs', lines: readonly string[], options: readonly string[] = []): Printed {
  mkdirSync(folder, { recursive: true });
  const file = join(folder, `program.${extension}`);
  writeFileSync(file, `${lines.join('\n')}\n`);
  const { status, stderr } = spawnSync(process.execPath, [...options, file], { encoding: 'utf8' });
  expect(status, stderr).to.equal(1);
  const text = stderr.replaceAll('file://', '');
  const [, source] = /^(\/.*:\d+)\n.*\n *\^+\n/.exec(text) ?? [];
  const calls = [...text.matchAll(/^ {4}at (?:.* \((.*)\)|(?:async )?(.*?))(?: \{)?$/gm)].map(([, a, b]) => (a ?? b)!);
  return { source, calls, marked: `${file}:${lines.findIndex((line) => line.endsWith(MARK)) + 1}` };
}

function expectCalls({ calls, marked }: Printed): void {
  expect(calls[0]).to.match(new RegExp(`^${marked}:\\d+$`));
  expect(calls.join('\n')).not.to.include('/dist/');
}

/** Expects the line of the mistake above the stack and at its top. */
function expectSourceAndCalls(printed: Printed): void {
  expect(printed.source).to.equal(printed.marked);
  expectCalls(printed);
}

const IMPORT = "import * as mp from 'node-multiprocessing';";
const REQUIRE = "const mp = require('node-multiprocessing');";
const OBJECTS = `
const [ours] = mp.Pipe();
const [reader, writer] = mp.Pipe(false);
const [closed] = mp.Pipe();
closed.close();
const lock = new mp.Lock();
const queue = new mp.Queue();
const joinable = new mp.JoinableQueue();
const condition = new mp.Condition();
const event = new mp.Event();
const child = new mp.Process({ module: '/none.mjs', target: 'none' });
class MyLock extends mp.Lock {
  release() {
    super.release();${MARK}
  }
}`.split('\n');

/** Mistakes in statements of a program with the objects above. */
const STATEMENTS: Record<string, readonly string[]> = {
  'a blocking call': ["ours.recvBytesSync('x');", 'reader.sendSync(1);', 'closed.sendSync(1);', 'lock.release();'],
  'a call that does not wait': ['lock.release();', 'queue.putNowait(() => {});', 'condition.notifySync();'],
  'an awaited call': [
    "await ours.recvBytes('x');",
    'await ours.send(Symbol());',
    'await writer.recv();',
    'await closed.recv();',
    'await queue.put(() => {});',
    'await joinable.taskDone();',
    'await condition.wait();',
    "await event.wait({ timeout: 'x' });",
    'await lock.withLock(() => {}, { timeout: NaN });',
    "await mp.wait('x');",
    "await mp.Client('/no/such/socket');",
    'await child.join();',
  ],
  'a constructor': [
    "new mp.Semaphore('x');",
    "new mp.Queue({ maxsize: 'x' });",
    'new mp.Process({ module: 5 });',
    "new mp.PythonProcess({ target: 'x' });",
    "new mp.Listener('host:1');",
    'new mp.Connection();',
    'new mp.NamedSemaphore();',
  ],
  'a function': ['mp.Pipe(5);', 'mp.describe(5);', 'mp.attach({});', "mp.waitSync('x');", 'mp.pickle.dumps(Symbol());'],
  'a static method': ['mp.Connection.fromFd(-1);', "mp.NamedSemaphore.open('/no-such-name');"],
  'an accessor': ['child.name = 5;', 'child.sentinel;'],
  "a method in CPython's spelling": ['ours.recv_bytes_into(5);', 'queue.put_nowait(() => {});'],
};

/** Statements whose last one waits, until an event makes it fail. */
const EVENTS: Record<string, readonly string[]> = {
  'the end of the data': [
    'const [ours, theirs] = mp.Pipe();',
    'setImmediate(() => theirs.close());',
    'await ours.recv();',
  ],
  'the end of its time': ['await new mp.Queue().get({ timeout: 1 });'],
  'its signal': [
    'const lock = new mp.Lock();',
    'await lock.acquire();',
    'await Promise.all([lock.acquire({ signal: AbortSignal.timeout(1) })]);',
  ],
  'the end of a pool': [
    "const pool = new mp.Pool({ module: '/none.mjs', target: 'none', processes: 1 });",
    'await pool.apply([]);',
  ],
};

describe('The stack of an error', () => {
  for (const [kind, statements] of Object.entries(STATEMENTS)) {
    it(`begins at the user's call of ${kind}, and Node prints that line`, () => {
      for (const statement of statements) {
        const lines = [IMPORT, ...OBJECTS.map((line) => line.replace(MARK, '')), `${statement}${MARK}`];
        expectSourceAndCalls(run('mjs', lines));
      }
    });
  }

  it("begins at the user's method that overrides one of this package", () => {
    expectSourceAndCalls(run('mjs', [IMPORT, ...OBJECTS, 'new MyLock().release();']));
  });

  it("begins in the user's function that this package calls", () => {
    const program = [IMPORT, ...OBJECTS.map((line) => line.replace(MARK, ''))];
    const { source, calls, marked } = run('mjs', [
      ...program,
      'await lock.withLock(() => {',
      `  mp.Pipe(5);${MARK}`,
      '});',
    ]);
    expect(source).to.equal(marked);
    expect(calls[0]).to.match(new RegExp(`^${marked}:`));
  });

  it("begins at the user's await of a call that fails after it has waited", () => {
    const lines = [
      IMPORT,
      'const lock = new mp.Lock();',
      'async function work() {',
      `  await lock.withLock(async () => { await null; lock.close(); });${MARK}`,
      '}',
      'await work();',
    ];
    expectCalls(run('mjs', lines));
  });

  for (const [event, statements] of Object.entries(EVENTS)) {
    // Regression: the stack had calls inside the package only, and said nothing of the user's program.
    it(`begins at the user's await of a call that ends by ${event}`, () => {
      const [last, ...first] = [...statements].reverse();
      const work = [...first.reverse().map((line) => `  ${line}`), `  ${last}${MARK}`];
      expectCalls(run('mjs', [IMPORT, 'async function work() {', ...work, '}', 'await work();']));
    });
  }

  it("begins at the user's call in a CommonJS program, and Node prints no line", () => {
    const printed = run('cjs', [REQUIRE, `new mp.Lock().release();${MARK}`]);
    expect(printed.source).to.equal(undefined);
    expectCalls(printed);
  });

  it("begins at the user's call in a callback of Node, and Node prints no line", () => {
    const printed = run('mjs', [IMPORT, 'setImmediate(() => {', `  mp.Pipe(5);${MARK}`, '});']);
    expect(printed.source).to.equal(undefined);
    expectCalls(printed);
  });

  it("begins at the user's call when Node uses source maps", () => {
    expectCalls(run('mjs', [IMPORT, `mp.Pipe(5);${MARK}`], ['--enable-source-maps']));
  });

  it('begins in the function of a child that imports nothing of this package', () => {
    const lines = [
      IMPORT,
      'export function work(connection) {',
      `  connection.sendSync(Symbol());${MARK}`,
      '}',
      'if (mp.isMainProcess) {',
      '  const child = new mp.Process({ module: import.meta.url, target: work, args: [mp.Pipe()[0]] });',
      '  child.start();',
      '  await child.join();',
      '}',
    ];
    const { calls, marked } = run('mjs', lines);
    expect(calls[0]).to.match(new RegExp(`^${marked}:`));
  });

  it('stays what a program makes of it with properties of Error', () => {
    const lines = [
      IMPORT,
      'Error.prepareStackTrace = (error, sites) => `${error.message} from line ${sites[0].getLineNumber()}`;',
      'Error.stackTraceLimit = 1;',
      `try { mp.Pipe(5); } catch (error) { console.error(error.stack, Error.stackTraceLimit); process.exitCode = 1; }${MARK}`,
    ];
    const file = join(folder, 'prepared.mjs');
    mkdirSync(folder, { recursive: true });
    writeFileSync(file, lines.join('\n'));
    const { stderr } = spawnSync(process.execPath, [file], { encoding: 'utf8' });
    expect(stderr).to.equal('duplex must be a boolean, not 5 from line 4 1\n');
  });

  it('is whole if Error cannot be changed', () => {
    const lines = [IMPORT, 'Object.freeze(Error);', `mp.Pipe(5);${MARK}`];
    const { calls, marked } = run('mjs', lines);
    expect(calls.some((call) => call.startsWith(`${marked}:`))).to.equal(true);
  });
});
