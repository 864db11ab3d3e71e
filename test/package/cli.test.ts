// SPDX-License-Identifier: MIT
//
// The command line program, as npx runs it: on families of living processes and of some that were killed.
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect } from 'chai';
import { Pipe } from 'node-multiprocessing';
import { table } from '#lib/cli/text.js';
import { listFamilies, type FamilyListing, type Listing, type Swept } from '#lib/cli/families.js';

import { packageRoot, spawnPeer, type Peer, type Program } from '../helpers/index.js';
import { cliFile as file, cliOutput as output, runCli as run } from './support/cli.js';

const folder = `/dev/shm/mp-${process.getuid!()}`;

/** Makes a Condition and an Event, closes the Condition, prints its family, and lives on. */
const PROGRAM = `
import * as mp from 'node-multiprocessing';
new mp.Condition().close();
const event = new mp.Event();
const { family } = mp.describe(event).event.flag;
console.log(family);
process.stdin.resume();`;

/** The number of semaphores of an Event. */
const EVENT = 5;

function listed(family: string): FamilyListing | undefined {
  const listing = JSON.parse(output('list', '--json')) as Listing;
  return listing.families.find((one) => one.family === family);
}

/** The semaphores of a family that exist, found without the program. */
function existing(family: string, names: readonly string[]): string[] {
  return names.filter((name) => name.startsWith(`/mp-${family}-`) && existsSync(`/dev/shm/sem.${name.slice(1)}`));
}

describe('The command line program', function () {
  async function member(): Promise<{ peer: Peer; family: string }> {
    const args = ['--input-type=module', '-e', PROGRAM];
    const program: Program = { language: 'node', label: 'member', command: process.execPath, args };
    const peer = spawnPeer(program, { cwd: packageRoot });
    return { peer, family: await peer.line() };
  }

  /**
   * Ends a member. A member that ends by itself removes what it has made; one that the hooks have to kill could not.
   */
  async function end(peer: Peer): Promise<void> {
    await peer.release();
    await peer.succeeded();
  }

  async function killed(): Promise<string> {
    const { peer, family } = await member();
    peer.kill();
    await peer.exit;
    return family;
  }

  before(function () {
    // Other systems do not list semaphores.
    if (process.platform !== 'linux') this.skip();
  });

  it('begins with the line that makes it executable', () => {
    expect(readFileSync(file, 'utf8').split('\n')[0]).to.equal('#!/usr/bin/env node');
  });

  it('shows a living family, with its member and its semaphores, in list --json', async () => {
    const { peer, family } = await member();
    const listing = JSON.parse(output('list', '--json')) as Listing;
    expect(Object.keys(listing)).to.deep.equal(['folder', 'families', 'bytes']);
    expect(listing.folder).to.equal(folder);
    expect(listing.bytes).to.equal(listing.families.reduce((sum, { bytes }) => sum + bytes, 0));
    const found = listing.families.find((one) => one.family === family)!;
    expect(Object.keys(found)).to.deep.equal(['family', 'members', 'names', 'missing', 'objects', 'arrays', 'bytes']);
    expect(found.members).to.deep.equal([{ pid: peer.pid, program: 'node -e', name: null }]);
    expect(found.names).to.have.length(EVENT);
    expect(existing(family, found.names)).to.deep.equal(found.names);
    expect([found.missing, found.bytes]).to.deep.equal([[], EVENT * 4096]);
    await end(peer);
    expect(listed(family)).to.equal(undefined);
  });

  it('shows the same as text in list, in aligned columns', async () => {
    const { peer, family } = await member();
    const lines = output('list').split('\n');
    const [title] = lines;
    expect(title!.split(/ +/)).to.deep.equal(['FAMILY', 'MEMBERS', 'SEMAPHORE', 'STATE', 'OF']);
    const first = lines.findIndex((line) => line.startsWith(`${family} `));
    expect(lines[first]!.slice(title!.indexOf('MEMBERS'))).to.match(new RegExp(`^${peer.pid} `));
    for (const line of lines.slice(first, first + EVENT)) {
      expect(line.slice(title!.indexOf('SEMAPHORE'))).to.match(
        new RegExp(`^/mp-${family}-\\w+ +exists +Event \\w+, \\w+$`),
      );
      expect(line.slice(title!.indexOf('STATE'))).to.match(/^exists /);
    }
    expect(lines.at(-2)).to.match(/^\d+ semaphores of \d+ famil(y|ies) in \/dev\/shm\/mp-\d+, \d+ bytes\.$/);
    await end(peer);
  });

  it('keeps a family whose process was killed until sweep, which leaves living families', async () => {
    const { peer, family: alive } = await member();
    const dead = await killed();
    const before = listed(dead)!;
    expect(before.members).to.deep.equal([]);
    expect(existing(dead, before.names)).to.have.length(EVENT);
    expect(output('list')).to.match(new RegExp(`^${dead} +none `, 'm'));

    const planned = JSON.parse(output('sweep', '--dry-run', '--json')) as Swept;
    expect(planned.dryRun).to.equal(true);
    expect(planned.families).to.deep.include({ family: dead, names: EVENT });
    expect(planned.families.map(({ family }) => family)).not.to.include(alive);
    expect(existing(dead, before.names)).to.have.length(EVENT);

    const swept = JSON.parse(output('sweep', '--json')) as Swept;
    expect(swept.dryRun).to.equal(false);
    expect(Object.keys(swept)).to.deep.equal(['families', 'names', 'dryRun']);
    expect(swept.families).to.deep.include({ family: dead, names: EVENT });
    expect(swept.families.map(({ family }) => family)).not.to.include(alive);
    expect(swept.names).to.equal(swept.families.reduce((sum, { names }) => sum + names, 0));

    expect(listed(dead)).to.equal(undefined);
    expect(existing(dead, before.names)).to.deep.equal([]);
    const rest = listed(alive)!;
    expect(existing(alive, rest.names)).to.have.length(EVENT);
    // What was removed is not removed again.
    const again = JSON.parse(output('sweep', '--json')) as Swept;
    expect(again.families.map(({ family }) => family)).not.to.include(dead);
    await end(peer);
  });

  it('prints as text what sweep has removed, and that there was nothing', async () => {
    const dead = await killed();
    const lines = output('sweep').split('\n');
    expect(lines[0]).to.match(/^FAMILY +SEMAPHORES REMOVED$/);
    expect(lines).to.include(`${dead}  ${EVENT}`);
    expect(lines.at(-2)).to.match(/^Removed \d+ semaphores of \d+ famil(y|ies)\.$/);
    // Unless a family of another program has died just now.
    expect(output('sweep'))
      .to.match(/^(Nothing to remove\.\n|FAMILY .*)$/s)
      .and.not.include(dead);
  });

  it('distinguishes existing names from others, and ignores a register with names of another family', async () => {
    const { peer, family } = await member();
    const register = join(folder, family);
    const line = (name: string): string => `${name.padEnd(31)}\n`;
    const lines = [`/mp-${family}-zzz`, '/mp-other-1', '/etc/passwd', `/mp-${family}-../x`, ''].map(line);
    // The beginning of a line for which there was no space, followed by a whole line.
    writeFileSync(register, [...lines, `/mp-${family}`, line(`/mp-${family}-yyy`), `/mp-${family}-half`].join(''), {
      flag: 'a',
    });
    const found = listed(family)!;
    expect(found.missing).to.deep.equal([`/mp-${family}-zzz`, `/mp-${family}-yyy`]);
    expect([found.names.length, found.bytes]).to.deep.equal([EVENT, EVENT * 4096]);
    expect(output('list')).to.match(new RegExp(`/mp-${family}-zzz +missing$`, 'm'));
    await end(peer);
  });

  it('does not count itself as a member', () => {
    // This process has a family since the tests began.
    const { families } = listFamilies();
    expect(families.length).to.be.at.least(1);
    for (const { members } of families) expect(members!.map(({ pid }) => pid)).not.to.include(process.pid);
    // For other processes it is a member.
    const { families: seen } = JSON.parse(output('list', '--json')) as Listing;
    expect(seen.flatMap(({ members }) => members!.map(({ pid }) => pid))).to.include(process.pid);
  });

  for (const args of [['--help'], ['-h'], ['help']]) {
    it(`prints the usage for: ${args.join(' ')}`, () => {
      expect(output(...args)).to.match(/^Usage: node-multiprocessing <command> \[options\]\n/);
    });
  }

  for (const args of [
    ['list', '--help'],
    ['help', 'list'],
    ['sweep', '--json', '--help'],
  ]) {
    it(`prints the usage of the command for: ${args.join(' ')}`, () => {
      expect(output(...args)).to.match(/^Usage: node-multiprocessing (list|sweep) \[options\]\n/);
    });
  }

  for (const args of [[], ['lst'], ['toString'], ['list', 'more'], ['sweep', 'it'], ['list', '--jsn'], ['--json']]) {
    it(`refuses "${args.join(' ')}" with the usage on stderr`, () => {
      const { status, stdout, stderr } = run(...args);
      expect([status, stdout]).to.deep.equal([2, '']);
      expect(stderr).to.match(/(^|\n\n)Usage: node-multiprocessing /);
    });
  }

  it('proposes the command and the option that were meant', () => {
    expect(run('lst').stderr).to.include('Did you mean list?');
    expect(run('sweep', '--dry-rnu').stderr).to.include('Did you mean --dry-run?');
  });

  it('prints its version, that of the package', () => {
    const { version } = JSON.parse(readFileSync(join(packageRoot, 'package.json'), 'utf8')) as { version: string };
    expect(output('--version')).to.equal(`${version}\n`);
  });

  it('prints the folder of the C headers', () => {
    expect(existsSync(join(output('include-path').trim(), 'node_multiprocessing.h'))).to.equal(true);
  });

  describe('doctor', () => {
    interface Diagnosis {
      readonly checks: readonly { readonly name: string; readonly state: string; readonly found: string }[];
      readonly healthy: boolean;
    }

    it('finds nothing wrong here, and says what it has looked at', () => {
      const { checks, healthy } = JSON.parse(output('doctor', '--json')) as Diagnosis;
      expect(healthy).to.equal(true);
      const names = ['Node', 'addon', 'pipes', 'waiting for locks', 'leftovers', '/dev/shm', 'Python'];
      expect(checks.map(({ name }) => name)).to.include.members(names);
      expect(checks.find(({ name }) => name === 'addon')!.found).to.match(/\.node$/);
      expect(output('doctor')).to.match(/^STATE +CHECK +FOUND\n/);
    });

    it('ends with 1 and names the failure when the addon cannot be loaded', () => {
      const env = { ...process.env, NODE_MULTIPROCESSING_ADDON: '/no-such-addon.node' };
      const { status, stdout } = spawnSync(process.execPath, [file, 'doctor', '--json'], { encoding: 'utf8', env });
      expect(status).to.equal(1);
      const { checks, healthy } = JSON.parse(stdout) as Diagnosis;
      expect(healthy).to.equal(false);
      expect(checks.filter(({ state }) => state === 'failure').map(({ name }) => name)).to.deep.equal(['addon']);
    });

    it('warns of an interpreter that is none', () => {
      const env = { ...process.env, PYTHON: '/no/python' };
      const { status, stdout } = spawnSync(process.execPath, [file, 'doctor', '--json'], { encoding: 'utf8', env });
      expect(status).to.equal(0);
      const { checks } = JSON.parse(stdout) as Diagnosis;
      const python = checks.find(({ name }) => name === 'Python')!;
      expect(python.state).to.equal('warning');
      expect(python.found).to.include('/no/python').and.include('PYTHON');
    });

    it('reports what a killed process has left', async () => {
      const dead = await killed();
      const { checks } = JSON.parse(output('doctor', '--json')) as Diagnosis;
      expect(checks.find(({ name }) => name === 'leftovers')!.state).to.equal('warning');
      output('sweep');
      expect(listed(dead)).to.equal(undefined);
    });
  });

  describe('holders', () => {
    interface Listed {
      readonly object: string;
      readonly holders: readonly { readonly pid: number; readonly fd: number; readonly access: string }[];
    }

    it('shows both ends of the pipes of a process, with the processes that hold them', () => {
      const [reader, writer] = Pipe(false);
      const all = JSON.parse(output('holders', '--json', String(process.pid))) as Listed[];
      const found = all.find(({ holders }) =>
        holders.some(({ fd, pid }) => pid === process.pid && fd === reader.fileno()),
      )!;
      expect(found.object).to.match(/^pipe:\[\d+\]$/);
      expect(found.holders).to.deep.include.members([
        { pid: process.pid, fd: reader.fileno(), access: 'read', program: 'node' },
        { pid: process.pid, fd: writer.fileno(), access: 'write', program: 'node' },
      ]);
      const path = `/proc/${process.pid}/fd/${writer.fileno()}`;
      const [one] = JSON.parse(output('holders', '--json', path)) as Listed[];
      expect(one!.object).to.equal(found.object);
      expect(output('holders', path)).to.match(/^OBJECT +PID +FD +ACCESS +PROGRAM\n/);
      reader.close();
      writer.close();
    });

    it('says that there is no such process, or file', () => {
      for (const subject of ['999999999', '/no/such/file']) {
        const { status, stderr } = run('holders', subject);
        expect(status).to.equal(1);
        expect(stderr).to.match(/^node-multiprocessing: .*(ESRCH|ENOENT)/);
      }
    });
  });

  it('ends when its output has no reader, and names another failure of its output in one line', () => {
    // Regression: both printed the stack of an uncaught error.
    for (const command of ['list', 'doctor', 'help']) {
      const [reader, writer] = Pipe(false);
      reader.close();
      const { status, stderr } = spawnSync(process.execPath, [file, command], {
        encoding: 'utf8',
        stdio: ['ignore', writer.fileno(), 'pipe'],
      });
      expect([status, stderr]).to.deep.equal([0, '']);
      writer.close();
    }
    const full = openSync('/dev/full', 'w');
    const { status, stderr } = spawnSync(process.execPath, [file, 'list'], {
      encoding: 'utf8',
      stdio: ['ignore', full, 'pipe'],
    });
    closeSync(full);
    expect(status).to.equal(1);
    expect(stderr).to.match(/^node-multiprocessing: .*ENOSPC.*\n$/);
  });

  it('shows lines and commands for the terminal in names as text', () => {
    // Regression: a name could clear the screen of the user that looks at it.
    expect(table([['NAME'], ['a\nb\x1b[2J\x07']])).to.equal('NAME\na b?[2J?\n');
  });

  it('names the module that a client of Redis lacks', () => {
    // Regression: it said that no client is installed.
    const project = mkdtempSync(join(tmpdir(), 'cli-'));
    mkdirSync(join(project, 'node_modules', 'redis'), { recursive: true });
    writeFileSync(join(project, 'node_modules', 'redis', 'index.js'), 'require("not-there")');
    const args = ['worker', '--redis', 'redis://h', '--name', 'n', '--module', 'm', '--target', 't'];
    const { status, stderr } = spawnSync(process.execPath, [file, ...args], { encoding: 'utf8', cwd: project });
    rmSync(project, { recursive: true });
    expect(status).to.equal(1);
    expect(stderr).to.include("Cannot find module 'not-there'");
  });

  it('reports a missing addon in one line, and prints its usage without one', () => {
    const env = { ...process.env, NODE_MULTIPROCESSING_ADDON: join(folder, 'no-such-addon.node') };
    const { status, stdout, stderr } = spawnSync(process.execPath, [file, 'list'], { encoding: 'utf8', env });
    expect([status, stdout]).to.deep.equal([1, '']);
    expect(stderr).to.match(/^node-multiprocessing: .*no-such-addon/);
    expect(stderr).not.to.include('    at ');
    expect(spawnSync(process.execPath, [file, '--help'], { env }).status).to.equal(0);
  });
});
