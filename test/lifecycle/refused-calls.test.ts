// SPDX-License-Identifier: MIT
//
// Regression: where a filter refused a system call with EPERM, as those of containers do, or the kernel did not have
// it, pipes, queues, joinSync(), wait() and sentinels failed. Every call that came late has another way.
import { spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';
import { Lock, Process, Queue } from 'node-multiprocessing';

import { cPeer, edgePythons, foreignEnv, spawnPeer, startTalkingPython, type Program } from '../helpers/index.js';
import { packageRoot } from '../helpers/environment.js';
import { child } from './support/programs.js';

const module = new URL('./children/refused-calls.js', import.meta.url);

/** The calls of the package that have another way. */
const ours = ['preadv2', 'pwritev2', 'pidfd_open', 'futex_waitv', 'fallocate'];

/** Calls of Node and of the C library that have another way. glibc takes it for clone3 only if that is missing. */
const others = {
  ENOSYS: ['epoll_pwait2', 'statx', 'close_range', 'clone3'],
  EPERM: ['epoll_pwait2', 'statx', 'close_range'],
};

/** Calls that are made directly, or by a function of the C library of the same name, and that every kernel and filter has. */
const old = (
  'accept4 access bind clock_gettime close connect dup dup2 dup3 epoll_create1 epoll_ctl epoll_pwait epoll_wait fcntl flock ' +
  'fstat ftruncate futex getcwd geteuid getpid getppid getrlimit getsockname getsockopt getuid ioctl kill linkat listen lseek ' +
  'lstat madvise mkdir mkdirat mmap munmap nanosleep open openat pipe pipe2 poll ppoll pread64 preadv pwrite64 read readlink ' +
  'readlinkat readv recvmsg sched_yield sendmsg setitimer setsockopt socket socketpair stat tee unlink unlinkat waitid write writev'
).split(' ');

/** Without this one there are no queues with leases, which say so, and large arrays of a PythonPool are in their pickles. */
const leasesAlone = ['memfd_create'];

/** What is looked up by its name, and is done without where the C library does not have it. */
const lookedUp = ['gnu_get_libc_version', 'mallopt', 'malloc_trim', 'sem_clockwait'];

/** The names of all system calls. */
function systemCalls(): Set<string> {
  const { stdout } = spawnSync('cc', ['-E', '-dM', '-'], {
    input: '#include <sys/syscall.h>',
    encoding: 'utf8',
    env: foreignEnv(),
  });
  return new Set([...stdout.matchAll(/^#define SYS_(\w+)/gm)].map(([, name]) => name as string));
}

/** The functions that the addon takes from other libraries. Some have another name for large files. */
function importedFunctions(): string[] {
  const file = process.env['NODE_MULTIPROCESSING_ADDON'] ?? join(packageRoot, 'build/Release/multiprocessing.node');
  const { stdout } = spawnSync('nm', ['-D', '--undefined-only', file], { encoding: 'utf8', env: foreignEnv() });
  return [...stdout.matchAll(/ [Uw] ([^@\n]+)/g)].flatMap(([, name = '']) => [name, name.replace(/64$/, '')]);
}

/** What a pattern finds in the sources of a folder. */
function foundIn(folder: string, extension: string, pattern: RegExp): string[] {
  return readdirSync(join(packageRoot, folder), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith(extension) && !name.startsWith('test/'))
    .map((name) => readFileSync(join(packageRoot, folder, name), 'utf8'))
    .flatMap((text) => [...text.matchAll(pattern)].map(([, name]) => name as string));
}

function refusing(code: 'ENOSYS' | 'EPERM', calls: readonly string[]): Program {
  const { command } = cPeer('refuse');
  const { command: node, args } = child('refused-calls');
  const filter = [String(constants.errno[code]), calls.join(',')];
  // A program in C runs without the runtime of a sanitizer, which the addon of its Node needs.
  const preload = `LD_PRELOAD=${process.env['LD_PRELOAD'] ?? ''}`;
  return { language: 'c', label: 'restricted node', command, args: [...filter, 'env', preload, node, ...args] };
}

describe('Under a filter of system calls', function () {
  before(async function () {
    if (process.platform === 'linux') {
      const { code } = await spawnPeer({ ...refusing('ENOSYS', ['preadv2']), args: ['38', 'preadv2', 'true'] }).exit;
      if (code === 0) return;
    }
    console.log('    skipped: no filter can be installed here');
    this.skip();
  });

  for (const code of ['ENOSYS', 'EPERM'] as const) {
    for (const refused of [...ours.map((call) => [call]), [...ours, ...others[code]]]) {
      it(`everything works if ${code} is the answer to ${refused.join(', ')}`, async () => {
        const peer = spawnPeer(refusing(code, refused));
        expect(await peer.succeeded()).to.equal('done\n');
      });
    }
  }

  // Regression: EPERM was told as a lack of memory, with the advice to give less.
  it('a queue with leases is not supported if memfd_create is refused', async () => {
    for (const code of ['ENOSYS', 'EPERM'] as const) {
      const program = refusing(code, ['memfd_create']);
      const source = `import('node-multiprocessing').then(({ JoinableQueue }) => new JoinableQueue({ leases: true }))
        .catch((error) => console.log(error.code))`;
      const peer = spawnPeer({ ...program, args: [...program.args.slice(0, 5), '-e', source] }, { cwd: packageRoot });
      expect(await peer.succeeded()).to.equal('ERR_MP_NOT_SUPPORTED\n');
    }
  });

  for (const code of ['ENOSYS', 'EPERM'] as const) {
    const refused = [...ours, ...others[code]];
    for (const { version, path } of edgePythons()) {
      it(`Node talks with a Python process that is not under it (${code}, Python ${version})`, async () => {
        const requests = new Queue({ serialization: 'pickle' });
        const replies = new Queue({ serialization: 'pickle' });
        const lock = new Lock();
        const objects = [requests, replies, lock];
        const [python, ends] = startTalkingPython('refused_calls:talk', { python: path, args: objects });
        const { command, args } = refusing(code, refused);
        const execArgv = [...args.slice(0, 2), process.execPath];
        const node = new Process({ module, target: 'talk', args: [ends, ...objects], execPath: command, execArgv });
        node.start();
        ends.close();
        expect(await node.join()).to.equal(true);
        expect(node.exitcode).to.equal(0);
        await python.join();
        expect(python.exitcode).to.equal(0);
        for (const object of objects) object.close();
      });

      it(`Node talks with a Python process that is under it, too (${code}, Python ${version})`, async () => {
        const peer = spawnPeer(refusing(code, refused), { args: [path, join(packageRoot, 'test', 'peers')] });
        expect(await peer.succeeded()).to.equal('done\n');
      });
    }
  }
});

describe('A system call', () => {
  const known = [...old, ...ours, ...leasesAlone];
  const unknown = (names: readonly string[]): string[] => [...new Set(names)].filter((name) => !known.includes(name));

  before(function () {
    if (process.platform !== 'linux') this.skip();
  });

  it('is refused above, or is an old one: in the addon', () => {
    const direct = foundIn('native', '.cc', /syscall\(SYS_(\w+)/g);
    expect(unknown(direct)).to.deep.equal([]);
    expect(direct).to.include.members(ours.filter((call) => call !== 'fallocate'));
    const calls = systemCalls();
    const imported = importedFunctions().filter((name) => calls.has(name));
    expect(imported).to.include.members(['read', 'recvmsg', 'memfd_create']);
    expect(unknown(imported)).to.deep.equal([]);
    expect(foundIn('native', '.cc', /dlsym\([^")]*"(\w+)"/g)).to.have.members(lookedUp);
  });

  it('is an old one: in what Python processes run', () => {
    const calls = systemCalls();
    for (const folder of ['lib/python', 'interop/python']) {
      const used = foundIn(folder, '.py', /\b(?:os|fcntl|select|signal|socket|mmap|CDLL\(None\))\.(\w+)/g);
      expect(used.filter((name) => calls.has(name) && !old.includes(name))).to.deep.equal([]);
    }
  });
});
