// SPDX-License-Identifier: MIT
//
// A rival: CPython's Queue with Python members, started by a Python process.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { foreignEnv, packageRoot } from '../../helpers/environment.js';
import type { Python } from '../../helpers/pythons.js';
import type { Family, Kind, Member, Role } from './family.js';
import type { Place } from './ledger.js';

interface Answer {
  readonly member?: number;
  readonly pid?: number;
  readonly gone?: number;
  readonly well?: boolean;
  readonly ended?: number;
}

export class CpythonFamily implements Family {
  readonly lost = undefined;
  readonly #parent: ChildProcess;
  readonly #started = new Map<number, (pid: number) => void>();
  readonly #gone = new Map<number, (well: boolean) => void>();
  #ended: (() => void) | undefined;

  constructor(python: Python, maxsize: number) {
    const program = join(packageRoot, 'test', 'peers', 'chaos_rival.py');
    this.#parent = spawn(python.path, [program, String(maxsize)], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: foreignEnv(),
    });
    createInterface({ input: this.#parent.stdout! }).on('line', (line) => this.#hear(JSON.parse(line) as Answer));
  }

  async start(role: Role, _kind: Kind, place: Place): Promise<Member> {
    const ended = new Promise<boolean>((resolve) => this.#gone.set(place.member, resolve));
    const pid = await new Promise<number>((resolve) => {
      this.#started.set(place.member, resolve);
      this.#tell({ start: role, place });
    });
    return { pid, ended };
  }

  async endConsumers(count: number): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#ended = resolve;
      this.#tell({ end: count });
    });
  }

  audit(): Promise<string[]> {
    return Promise.resolve([]);
  }

  async close(): Promise<void> {
    const exit = once(this.#parent, 'exit');
    this.#parent.stdin!.end();
    await exit;
  }

  #tell(command: unknown): void {
    this.#parent.stdin!.write(`${JSON.stringify(command)}\n`);
  }

  #hear({ member, pid, gone, well, ended }: Answer): void {
    if (member !== undefined) this.#started.get(member)?.(pid!);
    if (gone !== undefined) this.#gone.get(gone)?.(well!);
    if (ended !== undefined) this.#ended?.();
  }
}
