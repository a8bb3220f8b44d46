/**
 * `npm run cluster`: the platform as production runs it, on this machine and without containers. Every process is held by
 * `libs/embedded`, so nothing outlives this program, however it ends; what dies is started again, as a supervisor does.
 */
import { join } from 'node:path';
import { firstFreePort, keepRunning, startPlatform, type Platform } from '#embedded';
import { childrenOf, optionsOf, type RunnerOptions, USAGE, UsageError } from './options.js';

const say = (text: string): void => void process.stdout.write(`parley: ${text}\n`);

try {
  const options = optionsOf(process.argv.slice(2));
  if (options === 'help') process.stdout.write(`${USAGE}\n`);
  else await run(options);
  process.exit(0);
} catch (error) {
  const expected = error instanceof UsageError;
  process.stderr.write(`parley cluster: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exit(expected ? 2 : 1);
}

async function run({ port, nodes, folder }: RunnerOptions): Promise<void> {
  const asked = untilAskedToStop();
  const proxyPort = await firstFreePort(port);
  if (proxyPort !== port) say(`port ${port} is taken, using ${proxyPort}`);
  say(`starting ${nodes === 1 ? 'one NATS node' : 'three NATS nodes'}, PostgreSQL and two of each service`);
  const platform = await startPlatform({
    nodes,
    proxyPort,
    // Every listener is on loopback, so the demo's people may sign in without a password.
    env: { PARLEY_DEMO: '1' },
    progress: say,
    ...(folder !== undefined && { folder }),
  });
  const kept = [...childrenOf(platform).values()].map((child) => keepRunning(child, say));
  introduce(platform);
  await asked;
  say('stopping');
  // Services first: they say goodbye to the broker.
  const services = kept.splice(0, platform.services.size);
  await Promise.all(services.map((each) => each.stop()));
  await Promise.all(kept.map((each) => each.stop()));
  await platform.stop();
  say(folder === undefined ? 'stopped, nothing is left' : `stopped, data and logs are in ${platform.folder}`);
}

function introduce(platform: Platform): void {
  const { url, sockets, grpc, nats, folder } = platform;
  const processes = [...childrenOf(platform)].map(([name, { pid }]) => `${name} (pid ${pid})`);
  say(`processes: ${processes.join(', ')}`);
  say(`one log a process: ${join(folder, '*.log')}`);
  say(`NATS: ${nats.url}; gateways one by one: ${sockets.join(', ')}, gRPC ${grpc.join(', ')}`);
  say('people: alice, bob and charlie. Open the page as one of them, or get a token:');
  say(`  curl -s ${url}/api/auth/demo -H 'content-type: application/json' -d '{"user":"alice"}'`);
  say('kill -9 what you like; Ctrl-C stops everything');
  process.stdout.write(`parley cluster ready ${url}\n`);
}

/** The first signal asks for an end in order, also while everything is still starting; the second ends this process at once. */
function untilAskedToStop(): Promise<void> {
  return new Promise((resolve) => {
    let wasAsked = false;
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.on(signal, () => {
        if (wasAsked) process.exit(1);
        wasAsked = true;
        resolve();
      });
  });
}
