/**
 * What `npm start`, `npm run dev`, `npm test` and the programs of `bench` and `test` run by. It needs Node and npm and nothing else: on a fresh clone it installs, builds
 * and fetches nats-server first, each only when there is something to do, and a restart pays for looking only.
 */
import process from 'node:process';

const NODE_MIN = [20, 19];
const MODES = {
  start: './bootstrap/start.mjs',
  dev: './bootstrap/dev.mjs',
  test: './bootstrap/test.mjs',
  run: './bootstrap/run.mjs',
};

const [mode, ...rest] = process.argv.slice(2);
const [major, minor] = process.versions.node.split('.').map(Number);
if (major < NODE_MIN[0] || (major === NODE_MIN[0] && minor < NODE_MIN[1])) {
  fail(`Node ${NODE_MIN.join('.')} or newer is needed and this is ${process.versions.node}: install a newer one`);
} else if (!MODES[mode]) {
  fail(`unknown mode "${mode}": use ${Object.keys(MODES).join(', ')}`);
} else {
  try {
    const { run } = await import(MODES[mode]);
    await run(rest);
  } catch (error) {
    // A sentence that we wrote ourselves is enough; anything else is a fault of ours and wants its stack.
    fail(error.isExpected ? error.message : (error.stack ?? String(error)));
  }
}

function fail(message) {
  console.error(`parley: ${message}`);
  process.exit(1);
}
