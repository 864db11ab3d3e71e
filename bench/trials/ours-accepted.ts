// SPDX-License-Identifier: MIT
import { jobToArguments } from '../job.js';
import type { Kind, NodeTrial } from './trial.js';

/** After so many sends the last one is awaited: it resolves when there is room for it. */
const WINDOW = 500;

interface Variant {
  readonly id: string;
  readonly label: string;
  readonly child: string;
  readonly receiver: string;
}

const variants: readonly Variant[] = [
  { id: 'accepted', label: 'accepted', child: 'async-child', receiver: 'await recvBytes, a new Buffer each' },
  {
    id: 'batches',
    label: 'accepted, batches of views',
    child: 'batches-child',
    receiver: 'batches(undefined, { bytes: true }) with views: true, which net.Socket hands out, too',
  },
];

function acceptedTrial({ id, label, child, receiver }: Variant, kind: Exclude<Kind, 'channel'>): NodeTrial {
  return {
    id: `${id}/${kind}`,
    label: `ours, ${label}, ${kind}`,
    kind,
    settings:
      `${kind === 'socketpair' ? 'Pipe()' : 'Pipe(false) x 2'} with sends: 'accepted'; sendBytes, of which one in ` +
      `${WINDOW} is awaited; the receiver: ${receiver}`,
    workloads: ['one-way-64'],
    async open(job, payload) {
      const { connectChild } = await import('./ours.js');
      const options = { sends: 'accepted' } as const;
      const { receive, send } = connectChild(`peers/${child}`, kind, 'default', jobToArguments(job), options);
      return {
        roundTrips() {
          throw new TypeError('one way only');
        },
        async oneWay(count) {
          for (let sent = 1; sent <= count; sent++) {
            const accepted = send.sendBytes(payload);
            if (sent % WINDOW === 0) await accepted;
          }
          await receive.recvBytes();
        },
        lastReply: () => payload,
        close() {
          receive.close();
          send.close();
        },
      };
    },
  };
}

export const trials = variants.flatMap((variant) => [
  acceptedTrial(variant, 'socketpair'),
  acceptedTrial(variant, 'pipe'),
]);
