// SPDX-License-Identifier: MIT
//
// The queue of a test, and the processes that share it.
import type { QueueResources } from '#lib/queues/queue-resources.js';
import {
  describe as describeObject,
  JoinableQueue,
  Queue,
  SimpleQueue,
  type QueueDescriptor,
  type QueueOptions,
} from 'node-multiprocessing';

import { edgePythons, modes, nodePeer, pythonPeer, type Mode, type Program, type Python } from '../../helpers/index.js';
import { QueueCalls } from './queue-calls.js';
import { ProcessSide } from './locks-side.js';

/** The resources that a queue consists of. */
export function resourcesOf(queue: object): QueueResources {
  return (queue as { resources: QueueResources }).resources;
}

export type QueueKind = 'Queue' | 'JoinableQueue' | 'SimpleQueue';

const classes = { Queue, JoinableQueue, SimpleQueue };

/** A language of processes that share a queue, and the names of their errors. */
export interface QueueLanguage {
  readonly label: string;
  readonly program: Program;
  readonly errors: Readonly<Record<'empty' | 'full' | 'closed' | 'handleClosed' | 'taskDone' | 'notClosed', string>>;
}

const NODE_ERRORS = {
  empty: 'ERR_MP_EMPTY',
  full: 'ERR_MP_FULL',
  closed: 'ERR_MP_CLOSED',
  handleClosed: 'ERR_MP_CLOSED',
  taskDone: 'ERR_MP_TASK_DONE',
  notClosed: 'ERR_MP_NOT_CLOSED',
};

const PYTHON_ERRORS = {
  empty: 'Empty',
  full: 'Full',
  closed: 'ValueError',
  handleClosed: 'OSError',
  taskDone: 'ValueError',
  notClosed: 'AssertionError',
};

export const node: QueueLanguage = { label: 'node', program: nodePeer('queue-peer'), errors: NODE_ERRORS };

export function pythonLanguage(python: Python): QueueLanguage {
  return { label: `python${python.version}`, program: pythonPeer(python, 'queue_peer'), errors: PYTHON_ERRORS };
}

/** Node, the oldest and the newest Python. */
export function someQueueLanguages(): QueueLanguage[] {
  return [node, ...edgePythons().map(pythonLanguage)];
}

export class QueueScene {
  readonly mode: Mode;
  readonly queue: JoinableQueue;
  /** The calls of this process. */
  readonly here: QueueCalls;
  readonly errors = NODE_ERRORS;
  readonly #language: QueueLanguage;
  readonly #peers: ProcessSide[] = [];

  constructor(language: QueueLanguage, mode: Mode, kind: QueueKind, options: QueueOptions) {
    this.mode = mode;
    this.#language = language;
    // Python reads only pickles.
    const made = new classes[kind]({ serialization: 'pickle', ...options });
    this.queue = made as JoinableQueue;
    this.here = new QueueCalls(this.queue, mode);
  }

  /** Starts a process that has the queue. */
  async start(language = this.#language, mode = this.mode): Promise<ProcessSide> {
    const { pipe, statePipe } = resourcesOf(this.queue);
    const nodeOnly = language === node && this.#language === node;
    const descriptor: QueueDescriptor = describeObject(this.queue, { nodeOnly }) as QueueDescriptor;
    const pipes = language === node && statePipe !== undefined ? [pipe, statePipe] : [pipe];
    const peer = new ProcessSide(
      language.program,
      mode,
      pipes.flatMap(({ reader, writer }) => [reader.fd, writer.fd]),
    );
    this.#peers.push(peer);
    await new Promise((resolve) => peer.peer.process.stdin?.write(`${JSON.stringify(descriptor)}\n`, resolve));
    return peer;
  }

  /** Ends all processes and asserts that each ended well. */
  async end(): Promise<void> {
    for (const { peer } of this.#peers) await peer.release();
    for (const { peer } of this.#peers) await peer.succeeded();
  }

  close(): void {
    this.queue.close();
  }
}

/** The parameters of a test. */
export interface QueueTest {
  readonly kind?: QueueKind;
  readonly options?: QueueOptions;
  readonly languages?: readonly QueueLanguage[];
  readonly modes?: readonly Mode[];
}

/**
 * Defines a test in which this process and another process share a queue: async and sync, for each language of the
 * other.
 */
export function withQueuePeer(
  title: string,
  test: QueueTest,
  body: (scene: QueueScene, peer: ProcessSide, language: QueueLanguage) => Promise<void>,
): void {
  for (const language of test.languages ?? someQueueLanguages()) {
    for (const mode of test.modes ?? modes) {
      it(`${title} (${language.label}, ${mode})`, async () => {
        const scene = new QueueScene(language, mode, test.kind ?? 'Queue', test.options ?? {});
        try {
          await body(scene, await scene.start(), language);
          await scene.end();
        } finally {
          scene.close();
        }
      });
    }
  }
}
