import process from 'node:process';
import { build, fingerprint } from './build.mjs';
import { progress, root, standalone } from './paths.mjs';
import { fromDist, prepare } from './prepare.mjs';

/** Looking at every source costs some milliseconds, works on every file system and misses nothing. */
const LOOK_EVERY_MS = 400;
const GRACE_SECONDS = 20;

/** Runs the platform as a guarded child and starts it anew when a source has changed and the build is sound. */
export async function run(args) {
  await prepare();
  const { startGuarded } = await fromDist('libs/embedded/guard.js');
  const platform = new Platform(startGuarded, args);
  let leaving = false;
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(name, () => (leaving = true));
  await platform.start();
  let built = fingerprint();
  while (!leaving) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS));
    const now = fingerprint();
    if (leaving || now === built) continue;
    built = now;
    if (tryToBuild()) await platform.restart();
  }
  await platform.stop();
  process.exit(0);
}

/** A build that fails is said and leaves the running platform alone. */
function tryToBuild() {
  try {
    return build();
  } catch (error) {
    console.error(`parley: ${error.message}`);
    return false;
  }
}

class Platform {
  constructor(startGuarded, args) {
    this.startGuarded = startGuarded;
    this.args = args;
  }

  async start() {
    progress('starting (4/4)');
    const run = await this.startGuarded({
      title: 'standalone',
      command: process.execPath,
      args: ['--enable-source-maps', standalone, ...this.args],
      env: process.env,
      cwd: root,
      output: 'inherit',
      stopSignal: 'SIGTERM',
      graceSeconds: GRACE_SECONDS,
    });
    this.run = run;
    void run.ended.then((how) => {
      if (this.run !== run) return;
      this.run = undefined;
      progress(`the platform ended (${how}); waiting for a change`);
    });
  }

  async restart() {
    await this.stop();
    await this.start();
  }

  async stop() {
    const run = this.run;
    this.run = undefined;
    if (!run) return;
    process.kill(run.child.pid, 'SIGTERM');
    await run.ended;
  }
}
