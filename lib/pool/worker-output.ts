// SPDX-License-Identifier: MIT
//
// What a worker writes to its standard output and error. The pool reads both by line, and passes them on where the program does
// not listen for them.
import { readSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { StringDecoder } from 'node:string_decoder';

/** How much of the standard error is kept, for the error of a worker that dies. */
const TAIL_CHARACTERS = 4096;

/** The longest line that is kept in memory. A longer one is given out in pieces. */
const LONGEST_LINE = 64 * 1024;

/** The name of a stream. */
export type StreamName = 'stdout' | 'stderr';

/** Takes a line; returns whether there is a listener for it. */
export type OnLine = (stream: StreamName, line: string) => boolean;

/** One stream of a worker. */
class Output {
  readonly #name: StreamName;
  readonly #stream: Readable;
  readonly #onLine: OnLine;
  readonly #decoder = new StringDecoder();
  #rest = '';
  tail = '';

  constructor(name: StreamName, stream: Readable, onLine: OnLine) {
    this.#name = name;
    this.#stream = stream;
    this.#onLine = onLine;
    stream.on('data', (chunk: Buffer) => {
      this.#take(this.#decoder.write(chunk));
    });
    // A worker that is killed may leave anything.
    stream.on('error', () => undefined);
    // It is a socket, whatever its type says.
    (stream as Readable & { unref(): void }).unref();
  }

  /** Takes what the pipe still holds, and closes it: a process that the worker has started may hold the other end. */
  finish(): void {
    const { _handle: handle } = this.#stream as { _handle?: { fd?: number } | null };
    const fd = handle?.fd ?? -1;
    if (fd >= 0) {
      const buffer = Buffer.allocUnsafe(64 * 1024);
      for (let count = readSome(fd, buffer); count > 0; count = readSome(fd, buffer)) {
        this.#take(this.#decoder.write(buffer.subarray(0, count)));
      }
    }
    this.#take(this.#decoder.end());
    if (this.#rest !== '') this.#give(this.#rest);
    this.#rest = '';
    this.#stream.destroy();
  }

  #take(text: string): void {
    if (text === '') return;
    if (this.#name === 'stderr') this.tail = (this.tail + text).slice(-TAIL_CHARACTERS);
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() as string;
    for (const line of lines) this.#give(line);
    while (this.#rest.length > LONGEST_LINE) {
      this.#give(this.#rest.slice(0, LONGEST_LINE));
      this.#rest = this.#rest.slice(LONGEST_LINE);
    }
  }

  #give(line: string): void {
    if (!this.#onLine(this.#name, line)) process[this.#name].write(`${line}\n`);
  }
}

/** How many bytes were there; 0 if there are none, or at the end of data. */
function readSome(fd: number, buffer: Buffer): number {
  try {
    return readSync(fd, buffer);
  } catch {
    // EAGAIN: the other end is still open in some process.
    return 0;
  }
}

/** Both streams of a worker. */
export class WorkerOutput {
  readonly #outputs: readonly Output[];

  constructor(stdout: Readable | null, stderr: Readable | null, onLine: OnLine) {
    const streams = { stdout, stderr };
    this.#outputs = (['stdout', 'stderr'] as const).flatMap((name) => {
      const stream = streams[name];
      return stream === null ? [] : [new Output(name, stream, onLine)];
    });
  }

  /** The end of the standard error. */
  get tail(): string {
    return this.#outputs.map(({ tail }) => tail).join('');
  }

  /** Takes what is left of a worker that has ended. */
  finish(): void {
    for (const output of this.#outputs) output.finish();
  }
}
