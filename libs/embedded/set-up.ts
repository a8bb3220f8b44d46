import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { inheritedEnvironment } from './environment.js';
import { startGuarded } from './guard.js';
import { projectRoot } from './places.js';

const GRACE_SECONDS = 5;

/**
 * Runs the built `parley setup` to its end, as a deployment does before its services start.
 * @param env the whole environment but for PATH, HOME and the like
 * @throws Error with what it said when it fails
 */
export async function setUp(env: Readonly<Record<string, string>>, logFile?: string): Promise<void> {
  const main = join(projectRoot(), 'dist', 'apps', 'cli', 'main.js');
  if (!existsSync(main)) throw new Error(`parley setup: there is no ${main}; run npm run build`);
  const run = await startGuarded({
    title: 'parley setup',
    command: process.execPath,
    args: ['--enable-source-maps', main, 'setup'],
    env: { ...inheritedEnvironment(), ...env },
    cwd: projectRoot(),
    ...(logFile !== undefined && { logFile }),
    stopSignal: 'SIGTERM',
    graceSeconds: GRACE_SECONDS,
  });
  const how = await run.ended;
  if (how !== 'exit code 0') throw new Error(`parley setup failed (${how}): ${run.log.tail().trim()}`);
}
