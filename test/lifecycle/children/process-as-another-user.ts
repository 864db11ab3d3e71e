// SPDX-License-Identifier: MIT
//
// process-as-another-user: makes a lock as root, becomes another user, and gives the lock to a child. Prints the outcome as
// JSON.
import type { ChildProcessError } from 'node-multiprocessing';
import { Lock, Pipe, Process } from 'node-multiprocessing';

import { sendAll } from './process-targets.js';

const module = new URL('./process-targets.js', import.meta.url);
const NOBODY = 65534;

const lock = new Lock();
const [ours, theirs] = Pipe();
// Only the effective user changes, so that the names can be removed at the end.
process.setegid!(NOBODY);
process.seteuid!(NOBODY);

const stdio = ['ignore', 'inherit', 'ignore'] as const;
const withLock = new Process({ module, target: 'nothing', args: [lock], stdio: [...stdio] });
withLock.start();
const failure = await withLock.join().catch((error: unknown) => error);
const { stage, message } = failure as ChildProcessError;

const withConnection = new Process({ module, target: sendAll, args: [theirs, 'hello'], stdio: [...stdio] });
withConnection.start();
theirs.close();
const connection = await ours.recv().catch((error: unknown) => String(error));
await withConnection.join().catch(() => undefined);

process.seteuid!(0);
lock.close();
process.stdout.write(`${JSON.stringify({ stage, message, connection })}\n`);
