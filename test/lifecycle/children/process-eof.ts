// SPDX-License-Identifier: MIT
//
// The functions of the examples. They report their progress to the test.
import { EOFError, type Connection } from 'node-multiprocessing';

// eslint-disable-next-line @typescript-eslint/no-explicit-any
type Any = Connection<any, any>;

/** Answers whether the end of data is there, and on command closes the end that it had left open. */
async function answer(answers: Any, from: Any, forgotten: Any): Promise<void> {
  for await (const question of answers) {
    if (question === 'close') {
      forgotten.close();
      await answers.send('closed');
      return;
    }
    // A pending receive takes the end of data. Without an end of data, nothing is there.
    await answers.send(await from.poll(0).catch(() => true));
  }
}

async function receive(from: Any): Promise<unknown> {
  try {
    return await from.recv();
  } catch (error) {
    if (error instanceof EOFError) return undefined;
    throw error;
  }
}

export async function consumer(answers: Any, output: Any, input: Any, forgets: boolean): Promise<void> {
  if (!forgets) input.close();
  const items: unknown[] = [];
  while (items.length < 4) items.push(await receive(output));
  await answers.send(items);
  void answer(answers, output, input).catch(() => undefined);
  if ((await receive(output)) !== undefined) throw new Error('There is more than was sent');
  await answers.send('done');
  process.exit(0);
}

export async function server(answers: Any, connection: Any, client: Any, forgets: boolean): Promise<void> {
  if (!forgets) client.close();
  void answer(answers, connection, client).catch(() => undefined);
  for (;;) {
    const request = (await receive(connection)) as [number, number] | undefined;
    if (request === undefined) break;
    await connection.send(request[0] + request[1]);
  }
  await answers.send('done');
  process.exit(0);
}
