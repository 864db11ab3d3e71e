import * as mp from 'node-multiprocessing';

const connection = mp.Connection.fromFd(3);
for await (const [x, y] of connection) await connection.send(x + y);
console.log('Server done');
