import { spawn } from 'node:child_process';
import * as mp from 'node-multiprocessing';

const [ours, theirs] = mp.Pipe();
spawn(process.argv[2], { stdio: [0, 1, 2, theirs.fileno()] });
theirs.close(); // The child has its own copy.

for (const word of ['Hello', 'World']) {
  await ours.sendBytes(Buffer.from(word));
  console.log((await ours.recvBytes()).toString());
}
ours.close(); // nmp_recv_alloc() returns NMP_EOF.
