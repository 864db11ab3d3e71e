// SPDX-License-Identifier: MIT
//
// Members of pipes: each producer has a pipe to a consumer of its own. When one of the two is killed the other one ends,
// and each is replaced by a member with a new pipe.
import { spawn } from 'node:child_process';
import { join } from 'node:path';

import { Pipe, Process, PythonProcess, type Connection, type ConnectionOptions } from 'node-multiprocessing';

import { foreignEnv, packageRoot } from '../../helpers/environment.js';
import { cPeer } from '../../helpers/peers.js';
import type { Python } from '../../helpers/pythons.js';
import { childMember, programMember, type Family, type Kind, type Member, type Role } from './family.js';
import type { Place } from './ledger.js';

const module = join(packageRoot, 'out', 'test', 'stress', 'chaos', 'pipe-members.js');
const pythonPath = [join(packageRoot, 'test', 'peers')];

/** Which members have the ends of a pipe. */
type Link = Partial<Record<Role, number>>;

/** The end of a pipe whose other end has a member already. */
interface Waiting {
  readonly end: Connection<never, unknown>;
  readonly link: Link;
}

export class PipeFamily implements Family {
  readonly lost = undefined;
  readonly #duplex: boolean;
  readonly #python: Python | undefined;
  readonly #waiting: Readonly<Record<Role, Waiting[]>> = { produce: [], consume: [] };
  readonly #links: Link[] = [];

  /** @param duplex Whether the pipes are pairs of sockets. */
  constructor(duplex: boolean, python: Python | undefined) {
    this.#duplex = duplex;
    this.#python = python;
  }

  start(role: Role, kind: Kind, place: Place): Promise<Member> {
    const { end, link } = this.#waiting[role].shift() ?? this.#make(role);
    link[role] = place.member;
    const member = this.#launch(role, kind, end, place);
    end.close();
    return Promise.resolve(member);
  }

  #make(role: Role): Waiting {
    const options: ConnectionOptions = this.#python === undefined ? {} : { serialization: 'pickle' };
    const [reader, writer] = this.#duplex ? Pipe(true, options) : Pipe(false, options);
    const link: Link = {};
    this.#links.push(link);
    const [other, end] = role === 'produce' ? [reader, writer] : [writer, reader];
    this.#waiting[role === 'produce' ? 'consume' : 'produce'].push({ end: other, link });
    return { end, link };
  }

  #launch(role: Role, kind: Kind, end: Connection<never, unknown>, place: Place): Member {
    const { folder, slot, member, sizes } = place;
    if (kind === 'c') {
      const args = [role, folder, String(slot), String(member), sizes.join(), 'pipe', '3'];
      const stdio = ['ignore', 'inherit', 'inherit', end.fileno()] as const;
      return programMember(spawn(cPeer('chaos_member').command, args, { stdio: [...stdio], env: foreignEnv() }));
    }
    if (kind !== 'python') return childMember(new Process({ module, target: role, args: [end, place] }));
    const args = [end, { ...place, sizes: [...sizes] }];
    const python = this.#python!.path;
    return childMember(new PythonProcess({ target: `chaos_member:${role}_of_pipe`, args, python, pythonPath }));
  }

  /** What a killed consumer had not read is lost. What a killed producer has written is not. */
  mayLose(killed: ReadonlySet<number>): ReadonlySet<number> {
    const lossy = this.#links.filter(({ consume }) => consume === undefined || killed.has(consume));
    return new Set(lossy.flatMap(({ produce }) => produce ?? []));
  }

  /** An end that has no member any more makes the member of the other end stop. */
  stop(): void {
    for (const waiting of Object.values(this.#waiting)) {
      for (const { end } of waiting.splice(0)) end.close();
    }
  }

  endConsumers(): Promise<void> {
    return Promise.resolve();
  }

  audit(): Promise<string[]> {
    return Promise.resolve([]);
  }

  close(): Promise<void> {
    this.stop();
    return Promise.resolve();
  }
}
