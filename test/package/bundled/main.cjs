// The same, for bundlers that read require().
const { Pipe } = require('node-multiprocessing');

async function main() {
  const [a, b] = Pipe();
  a.send('JoinableQueue true');
  console.log(await b.recv());
}

main();
