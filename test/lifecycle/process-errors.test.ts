// SPDX-License-Identifier: MIT
//
// What a parent learns of the error with which a child ends, whatever was thrown.
import { inspect } from 'node:util';

import { expect } from 'chai';
import { ChildProcessError, Process } from 'node-multiprocessing';

import { instance, rejects, spawnPeer, throws } from '../helpers/index.js';
import { thrown } from './children/process-errors.js';

const module = new URL('./children/process-errors.js', import.meta.url);

function start(target: string, ...args: string[]): Process {
  const child = new Process({ module, target, args, stdio: 'ignore' });
  child.start();
  return child;
}

/** Starts a function that throws. Returns the error of join(), after joinSync() has thrown one, too. */
async function errorOf(kind: string): Promise<ChildProcessError> {
  const expected = { code: 'ERR_MP_CHILD_PROCESS', stage: 'run' };
  throws(() => start('fail', kind).joinSync(), expected);
  return instance(await rejects(start('failAsync', kind).join(), expected), ChildProcessError);
}

/** The error that the child has thrown. */
async function causeOf(kind: string): Promise<Error & Record<string, unknown>> {
  return instance((await errorOf(kind)).cause, Error) as Error & Record<string, unknown>;
}

describe('The error of a child', () => {
  // Regression: the report failed for many of these, the child ended with code 7, and join() resolved to true.
  for (const kind of Object.keys(thrown)) {
    it(`rejects join() for ${kind}`, async () => {
      const error = await errorOf(kind);
      expect(error.message)
        .to.be.a('string')
        .and.match(/^Process-\d+ \(pid \d+\): ./);
      expect(error.childStack).to.be.a('string');
    });
  }

  it('arrives as the cause, with name, message and stack', async () => {
    const { cause, childStack, message } = await errorOf('an error');
    const error = instance(cause, Error);
    expect([error.name, error.message, error.stack]).to.deep.equal(['Error', 'ordinary', childStack]);
    expect(childStack).to.match(/^Error: ordinary\n.*process-errors\.js/);
    expect(message).to.include('Error: ordinary').and.not.include('process-errors.js');
  });

  // Regression: causes, the errors of an AggregateError and codes were lost.
  it('has its causes, with their own properties and classes', async () => {
    const error = await causeOf('an error with a cause');
    const innermost = instance(instance(error.cause, Error).cause, TypeError) as TypeError & Record<string, unknown>;
    expect(error.message).to.equal('outer');
    expect([innermost.message, innermost['code'], innermost['errno']]).to.deep.equal(['the reason', 'E_INNER', -5]);
    expect(innermost.stack).to.include('process-errors.js');
  });

  it('has its errors', async () => {
    const error = instance(await causeOf('several errors'), AggregateError);
    expect(instance(error.errors[0], TypeError)).to.include({ code: 'E_INNER' });
    expect(error.errors[1]).to.equal('a text');
  });

  it('has its own properties, as text where they are of kinds that cannot be passed', async () => {
    const { name, message, code, list, when, handler } = await causeOf('an error with fields');
    expect([name, message, code, list]).to.deep.equal(['Odd', 'fields', 'ERR_ODD', [1, 'two', { three: 3n }]]);
    expect(when).to.equal('1970-01-01T00:00:00.000Z');
    expect(handler).to.equal('[Function: handler]');
  });

  it('can be its own cause', async () => {
    const error = await causeOf('an error that is its own cause');
    expect((error.cause as Error).cause).to.equal(error);
  });

  it('keeps what can be read', async () => {
    for (const kind of Object.keys(thrown).filter((name) => /^a (stack|name) /.test(name))) {
      expect((await causeOf(kind)).message, kind).to.equal('readable');
    }
    expect((await causeOf('a field that throws')).message).to.equal('readable');
  });

  it('can be a value that is no error', async () => {
    expect((await errorOf('a number')).cause).to.equal(5);
    expect((await errorOf('a plain object')).cause).to.deep.equal({ code: 'E_PLAIN', list: [1] });
    expect((await errorOf('a symbol')).cause).to.equal('Symbol(thrown)');
  });

  it('is shown once when the error of join() is printed', async () => {
    const shown = inspect(await errorOf('an error'));
    expect(shown.split('at fail ').length - 1, shown).to.equal(1);
  });

  // Regression: the child printed its error, and the parent printed it again as the cause of its own.
  it('is printed once, by the child, when the error of join() is not caught', async () => {
    for (const stdio of ['inherit', 'ignore']) {
      const program = `
        import { Process } from 'node-multiprocessing';
        const options = { module: '${module.href}', target: 'fail', args: ['an error with a cause'] };
        const child = new Process({ ...options, name: 'Worker', stdio: '${stdio}' });
        child.start();
        await child.join();`;
      const args = ['--input-type=module', '-e', program];
      const peer = spawnPeer({ language: 'node', label: 'node', command: process.execPath, args });
      expect((await peer.exit).code).to.equal(1);
      const times = (text: string): number => peer.stderr.split(text).length - 1;
      expect(times('TypeError: the reason'), peer.stderr).to.equal(1);
      expect(times('Process Worker:'), peer.stderr).to.equal(stdio === 'inherit' ? 1 : 0);
      expect(peer.stderr)
        .to.include('ERR_MP_CHILD_PROCESS')
        .and.match(/Worker \(pid \d+\): Error: outer/);
    }
  });

  it('arrives from a child that cannot print it', async () => {
    await rejects(start('failWithoutOutput').join(), { code: 'ERR_MP_CHILD_PROCESS', stage: 'run' });
  });
});
