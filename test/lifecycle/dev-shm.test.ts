// SPDX-License-Identifier: MIT
//
// Bad states of /dev/shm: full, read-only, missing, owned by another user, or cleaned by another program. Each child
// has a mount namespace of its own, in which /dev/shm is another file system.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';

import { expect } from 'chai';
import { attach, describe as describeObject, Lock } from 'node-multiprocessing';
import { rmSync } from 'node:fs';

import { foreignEnv, numpyPythons, packageRoot, throws, type Peer } from '../helpers/index.js';
import { allFailed, allSucceeded, classes, node, printed, spawnAfter } from './support/dev-shm.js';
import type { Report } from './support/programs.js';

/** The command line program, and the functions that a child runs, as literals of a program. */
const cli = JSON.stringify(join(packageRoot, 'dist', 'cli', 'main.js'));
const targets = JSON.stringify(new URL('children/process-targets.js', import.meta.url).href);

/** The command that makes a mount namespace here; undefined if none may. */
const unshare = ['-m', '-rm'].find((flag) => {
  const command = ['unshare', flag, 'mount', '-t', 'tmpfs', 'tmpfs', '/dev/shm'] as const;
  return spawnSync(command[0], command.slice(1), { env: foreignEnv() }).status === 0;
});
const isRoot = process.geteuid?.() === 0;

/** Runs shell commands in a new mount namespace, and then a program there. */
function elsewhere(setup: string, body: string, as: readonly string[] = []): Peer {
  return spawnAfter(setup, [...as, ...node(body)], ['unshare', unshare!]);
}

/** A full /dev/shm. */
const FULL = `
mount -t tmpfs -o size=128k tmpfs /dev/shm
head -c 131072 /dev/zero > /dev/shm/filler`;
const EMPTY = 'mount -t tmpfs tmpfs /dev/shm';

describe('Semaphores', function () {
  describe('in another /dev/shm', () => {
    before(function () {
      if (unshare !== undefined) return;
      console.log('    skipped: no mount namespace can be made here (unshare -m, unshare -rm)');
      this.skip();
    });

    it('fail with ENOSPC if it is full, leave nothing behind, and work when there is room', async () => {
      const { before, half, after } = await printed(
        elsewhere(
          FULL,
          `
          const before = failures();
          const half = left();
          fs.rmSync('/dev/shm/filler');
          print({ before, half, after: failures() });`,
        ),
      );
      allFailed(before, classes, 'ENOSPC', '/dev/shm is full');
      expect(half).to.deep.equal([]);
      allSucceeded(after, classes);
    });

    it('are not needed for the large arrays of a pool, which a full one does not stop', async function () {
      const [python] = numpyPythons();
      if (python === undefined) this.skip();
      const options = JSON.stringify({ python: python.path, target: 'numpy:flip', processes: 1 });
      const body = `
        const pool = new mp.PythonPool(${options});
        const flipped = await pool.apply([mp.pickle.ndarray(Float64Array.from({ length: 1e6 }, (_, i) => i))]);
        print([flipped[0], flipped.length]);
        await pool.terminate();`;
      expect(await printed(elsewhere(FULL, body))).to.deep.equal([999_999, 1e6]);
    });

    it('go on if it fills up, and a closed semaphore makes room', async () => {
      const {
        count,
        error,
        names,
        again,
        finally: rest,
      } = await printed(
        elsewhere(
          'mount -t tmpfs -o size=128k tmpfs /dev/shm',
          `
          const locks = [];
          let error;
          while (error === undefined) {
            error = failure(() => {
              locks.push(new mp.Lock());
              return { close() {} };
            });
            if (error === 'succeeded') error = undefined;
          }
          locks.forEach(use);
          const count = locks.length;
          const names = list('/dev/shm').filter((name) => name.startsWith('sem.')).length;
          locks.pop().close();
          locks.push(new mp.Lock());
          locks.forEach(use);
          const again = failure(makers.Lock);
          for (const lock of locks) lock.close();
          print({ count, error, names, again, finally: list('/dev/shm').filter((name) => name.startsWith('sem.')) });`,
        ),
      );
      expect(error).to.include({ code: 'ENOSPC', syscall: 'sem_open' });
      expect(again).to.include({ code: 'ENOSPC' });
      expect(count).to.be.within(5, 31);
      expect(names).to.equal(count);
      expect(rest).to.deep.equal([]);
    });

    it('leave none of several behind if there is room for only some of them', async () => {
      const found = await printed(
        elsewhere(
          'mount -t tmpfs -o size=128k tmpfs /dev/shm',
          `
          const first = new mp.Lock();
          const names = left();
          // Room for less than a Condition.
          const filler = '/dev/shm/filler';
          try {
            for (;;) fs.appendFileSync(filler, new Uint8Array(4096));
          } catch {
            fs.truncateSync(filler, fs.statSync(filler).size - 2 * 4096);
          }
          const failed = { Condition: failure(makers.Condition), Event: failure(makers.Event) };
          const more = left().filter((name) => !names.includes(name));
          const one = failures();
          use(first);
          print({ failed, more, one });`,
        ),
      );
      allFailed(found.failed, ['Condition', 'Event'], 'ENOSPC', '/dev/shm is full');
      expect(found.more).to.deep.equal([]);
      allSucceeded(found.one, ['Lock', 'RLock', 'Semaphore', 'BoundedSemaphore', 'NamedSemaphore']);
    });

    for (const [title, folder] of [
      ['a read-only one', ''],
      ["a read-only one with this user's folder", 'mkdir -m 700 /dev/shm/mp-$(id -u)'],
    ]) {
      it(`fail with EROFS in ${title}`, async () => {
        const setup = `${EMPTY}\n${folder}\nmount -o remount,bind,ro /dev/shm`;
        const found = await printed(elsewhere(setup, 'print(failures());'));
        allFailed(found, classes, 'EROFS', 'read-only');
      });
    }

    it('fail with ENOENT if there is none, and nothing is listed', async () => {
      const { found, outputs } = await printed(
        elsewhere(
          // Only a mount over /dev hides it.
          'mount -t tmpfs tmpfs /dev',
          `
          import { spawnSync } from 'node:child_process';
          const outputs = ['list', 'sweep'].map((command) => {
            const { status, stdout } = spawnSync(process.execPath, [${cli}, command, '--json'], { encoding: 'utf8' });
            return [status, JSON.parse(stdout).families];
          });
          print({ found: failures(), outputs });`,
        ),
      );
      allFailed(found, classes, 'ENOENT', '/dev/shm');
      expect(outputs).to.deep.equal([
        [0, []],
        [0, []],
      ]);
    });

    for (const [title, setup] of [
      ['others can enter', 'mkdir -m 755 /dev/shm/mp-$(id -u)'],
      ['is a link to another one', 'mkdir -m 700 /dev/shm/other; ln -s other /dev/shm/mp-$(id -u)'],
      ['is a file', 'touch /dev/shm/mp-$(id -u)'],
      ...(isRoot ? [['belongs to another user', 'mkdir -m 700 /dev/shm/mp-0; chown 4321 /dev/shm/mp-0']] : []),
    ]) {
      // Regression: another user who was there first could keep this user from making any semaphore.
      it(`use another folder if the usual one ${title}, which is left as it is`, async () => {
        const found = await printed(
          elsewhere(
            `${EMPTY}\n${setup}`,
            `
            import { spawnSync } from 'node:child_process';
            const run = (...args) => spawnSync(process.execPath, args, { encoding: 'utf8' }).stdout;
            const cli = (command) => JSON.parse(run(${cli}, command, '--json'));
            const made = failures();
            const lock = new mp.Lock();
            const [reader, writer] = mp.Pipe(false);
            const child = new mp.Process({ module: ${targets}, target: 'sendNumber', args: [writer, 7, lock] });
            child.start();
            const sent = [await reader.recv(), await child.join()];
            // A process that is no child of this one finds the folder by itself.
            const descriptor = mp.describe(lock);
            const attach = \`
              import * as mp from 'node-multiprocessing';
              console.log(mp.attach(\${JSON.stringify(descriptor)}).acquireSync({ timeout: 5000 }));\`;
            const attached = run('--input-type=module', '-e', attach).trim();
            // What a killed process leaves there is found, too.
            const kill = "import { Lock } from 'node-multiprocessing'; new Lock(); process.kill(process.pid, 'SIGKILL');";
            run('--input-type=module', '-e', kill);
            const { family } = descriptor.semaphore;
            const own = cli('list').families.filter(({ members }) => members.some(({ pid }) => pid === process.pid));
            const swept = cli('sweep').names;
            const content = fs.statSync(folder).isDirectory() ? fs.readdirSync(folder) : [];
            const folders = fs.readdirSync('/dev/shm').filter((name) => name.startsWith('mp-')).sort();
            print({ made, sent, attached, own: own.map((one) => one.family === family), swept, content, folders });`,
          ),
        );
        const { made, folders, ...rest } = found as { made: Report; folders: string[] };
        allSucceeded(made, classes);
        expect(rest).to.deep.equal({ sent: [7, true], attached: 'true', own: [true], swept: 1, content: [] });
        expect(folders).to.have.length(2);
        expect(folders[1]).to.match(/^mp-\d+-[0-9a-z]{9}$/);
      });
    }

    it('fail with EACCES if this user may not write, or if a semaphore belongs to another user', async function () {
      const asOther = ['setpriv', '--reuid', '4321', '--clear-groups'];
      const addon = join(packageRoot, 'package.json');
      const [command, ...args] = [...asOther, process.execPath, '-e', `fs.readFileSync(${JSON.stringify(addon)})`];
      if (!isRoot || spawnSync(command, args, { env: foreignEnv() }).status !== 0) {
        console.log('    skipped: this needs root, and another user that can read the package');
        return this.skip();
      }
      const setup = `
        mount -t tmpfs -o mode=755 tmpfs /dev/shm
        head -c 32 /dev/zero > /dev/shm/sem.foreign
        chmod 600 /dev/shm/sem.foreign`;
      const body = "print({ made: failures(), opened: failure(() => mp.NamedSemaphore.open('/foreign')) });";
      const { made, opened } = await printed(elsewhere(setup, body, asOther));
      allFailed(made, classes, 'EACCES', 'cannot be written');
      expect(opened).to.include({ code: 'EACCES', syscall: 'sem_open' });
      expect(opened.message).to.include('another user');
    });

    it('go on when all names were removed from outside, and later errors name the likely causes', async () => {
      const { used, attached, gone } = await printed(
        elsewhere(
          EMPTY,
          `
          const lock = new mp.Lock();
          const descriptor = mp.describe(lock);
          const event = new mp.Event();
          for (const name of fs.readdirSync('/dev/shm')) fs.rmSync('/dev/shm/' + name, { recursive: true });
          use(lock);
          event.setSync();
          const attached = failure(() => mp.attach(descriptor));
          const gone = failure(() => mp.NamedSemaphore.open(descriptor.semaphore.name));
          print({ used: event.isSetSync(), attached, gone });`,
        ),
      );
      expect(used).to.equal(true);
      for (const error of [attached, gone]) {
        expect(error).to.include({ code: 'ENOENT', syscall: 'sem_open' });
        expect(error.message).to.include('RemoveIPC');
      }
    });
  });

  // Regression: SIGBUS ended every process that had such a semaphore open.
  it('whose files, or the table beside them, are truncated are EIO in every call, and new ones work', async () => {
    const found = await printed(
      spawnAfter(
        '',
        node(`
          import { Worker } from 'node:worker_threads';
          const codeOf = async (action) => {
            try {
              await action();
              return 'succeeded';
            } catch ({ code }) {
              return code;
            }
          };
          const inWorker = async (descriptor) => {
            const worker = new Worker(
              \`
              import { parentPort, workerData } from 'node:worker_threads';
              import * as mp from 'node-multiprocessing';
              try {
                parentPort.postMessage(mp.attach(workerData).acquireSync({ timeout: 1000 }));
              } catch ({ code }) {
                parentPort.postMessage(code);
              }\`,
              { eval: true, workerData: descriptor },
            );
            const code = await new Promise((resolve) => worker.once('message', resolve));
            await worker.terminate();
            return code;
          };
          const found = {};
          for (const what of ['semaphore', 'table']) {
            const lock = new mp.Lock();
            const other = new mp.Lock();
            other.acquireSync();
            const descriptor = mp.describe(lock);
            const { name, family } = descriptor.semaphore;
            const waiting = codeOf(() => other.acquire());
            const file = (name) => '/dev/shm/sem.' + name.slice(1);
            if (what === 'table') fs.truncateSync(folder + '/' + family + '.holders');
            else for (const each of [lock, other]) fs.truncateSync(file(each.name));
            found[what] = {
              sync: await codeOf(() => lock.acquireSync({ timeout: 1000 })),
              async: await codeOf(() => lock.acquire({ timeout: 1000 })),
              waiting: await waiting,
              worker: await inWorker(descriptor),
              peer: await codeOf(() => mp.attach(descriptor)),
            };
            use(new mp.Lock());
          }
          print(found);
          process.exit(0);`),
      ),
    );
    const all = { sync: 'EIO', async: 'EIO', waiting: 'EIO', worker: 'EIO' };
    // An attached object of this process shares the family, and with it what the process knows.
    expect(found.semaphore).to.deep.equal({ ...all, peer: 'EIO' });
    expect(found.table).to.deep.include(all);
  });

  it('that were removed from outside are ENOENT, and the message mentions RemoveIPC', () => {
    const lock = new Lock();
    const descriptor = describeObject(lock);
    rmSync(`/dev/shm/sem.${lock.name.slice(1)}`);
    const error = throws(() => attach(descriptor), { code: 'ENOENT', syscall: 'sem_open' });
    expect(error.message).to.include('RemoveIPC').and.to.include(lock.name);
    // Only the name is removed.
    expect(lock.acquireSync()).to.equal(true);
    lock.release();
    lock.close();
  });
});
