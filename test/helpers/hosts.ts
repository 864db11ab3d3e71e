// SPDX-License-Identifier: MIT
//
// Hosts in the place of machines: network namespaces, one in the middle and a cable from it to each other one. Bytes are
// lost without a word, as in a network that is cut: neither side is told.
import { spawnSync } from 'node:child_process';

import type { Program } from './peers.js';

function ip(...args: string[]): string {
  const { status, stdout, stderr, error } = spawnSync('ip', args, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ip ${args.join(' ')}: ${stderr ?? error?.message}`);
  return stdout;
}

/** Why there can be no hosts; undefined if there can. */
export const noHosts = ((): string | undefined => {
  const name = `mp-try-${process.pid}`;
  try {
    ip('netns', 'add', name);
    ip('netns', 'del', name);
    return undefined;
  } catch (error) {
    return `no network namespaces: ${(error as Error).message.trim()}`;
  }
})();

/** The title of a suite, which says why it is not run. */
export function onHosts(title: string): string {
  return noHosts === undefined ? title : `${title} (not run: ${noHosts})`;
}

/** A program with what its command begins with. */
export function withPrefix([first, ...rest]: readonly string[], program: Program): Program {
  if (first === undefined) return program;
  return { ...program, command: first, args: [...rest, program.command, ...program.args] };
}

/** What does not arrive: what the outer host sends, what it should receive, or both. */
export type Loss = 'sent' | 'received' | 'both';

/** An address of the link layer that no interface has. */
const NO_INTERFACE = '02:00:00:00:00:01';

/** A host that has a cable to the one in the middle. */
export class Host {
  readonly #name: string;
  readonly #middle: string;
  readonly #number: number;

  constructor(middle: string, number: number) {
    this.#middle = middle;
    this.#number = number;
    this.#name = `${middle}-${number}`;
    ip('netns', 'add', this.#name);
    ip('-n', middle, 'link', 'add', this.#cable, 'type', 'veth', 'peer', 'name', 'mp0', 'netns', this.#name);
    for (const [host, cable, address] of [
      [middle, this.#cable, this.middleAddress],
      [this.#name, 'mp0', this.#address],
    ] as const) {
      ip('-n', host, 'address', 'add', `${address}/30`, 'dev', cable);
      ip('-n', host, 'link', 'set', cable, 'up');
    }
    ip('-n', this.#name, 'link', 'set', 'lo', 'up');
    this.heal();
  }

  /** What a command begins with to run on this host. */
  get prefix(): readonly string[] {
    return ['ip', 'netns', 'exec', this.#name];
  }

  /** The address of the host in the middle, as this one reaches it. */
  get middleAddress(): string {
    return `10.77.${this.#number}.1`;
  }

  /** Loses all that is on its way from now on, until it is healed. */
  lose(loss: Loss): void {
    if (loss !== 'received') this.#send('mp0', NO_INTERFACE);
    if (loss !== 'sent') this.#send(this.#cable, NO_INTERFACE);
  }

  heal(): void {
    this.#send('mp0', this.#linkAddress(this.#middle, this.#cable));
    this.#send(this.#cable, this.#linkAddress(this.#name, 'mp0'));
  }

  remove(): void {
    ip('netns', 'del', this.#name);
  }

  get #cable(): string {
    return `mp${this.#number}`;
  }

  get #address(): string {
    return `10.77.${this.#number}.2`;
  }

  #linkAddress(host: string, cable: string): string {
    return /link\/ether (\S+)/.exec(ip('-n', host, 'link', 'show', cable))?.[1] as string;
  }

  /** Sends what goes out by a cable to an interface. */
  #send(cable: string, interfaceAddress: string): void {
    const [host, to] = cable === 'mp0' ? [this.#name, this.middleAddress] : [this.#middle, this.#address];
    ip('-n', host, 'neigh', 'replace', to, 'lladdr', interfaceAddress, 'dev', cable, 'nud', 'permanent');
  }
}

/** The hosts of a suite. */
export class Hosts {
  readonly #middle = `mp-${process.pid}`;
  readonly outer: Host[] = [];

  get prefix(): readonly string[] {
    return ['ip', 'netns', 'exec', this.#middle];
  }

  start(count: number): void {
    ip('netns', 'add', this.#middle);
    ip('-n', this.#middle, 'link', 'set', 'lo', 'up');
    for (let i = 1; i <= count; i++) this.outer.push(new Host(this.#middle, i));
  }

  remove(): void {
    for (const host of this.outer.splice(0)) host.remove();
    ip('netns', 'del', this.#middle);
  }
}

/** Called inside a describe: hosts for its tests, which are skipped where there can be none. */
export function ownHosts(count: number): Hosts {
  const hosts = new Hosts();
  before(function () {
    if (noHosts !== undefined) this.skip();
    hosts.start(count);
  });
  after(() => {
    if (noHosts === undefined) hosts.remove();
  });
  return hosts;
}
