/** The operator's commands. They talk to what runs, through NATS and PostgreSQL, and keep nothing themselves. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { ConfigError, loadConfig } from '#service';
import { runProjections } from './projections.js';

const USAGE = `parley chat ...                           talk in a terminal (parley chat --help)
parley projections status                 how far each read model is, and which events are dead letters
parley projections rebuild [model ...]    build read models anew beside the live ones, then swap them in (all, if none is named)
parley projections replay <position>      take a dead letter in again: a rebuild of all read models, with it
NATS_URL and DATABASE_URL say where; without them it is what \`npm start\` runs here (PARLEY_HOME).`;

const COMMANDS: Readonly<Record<string, typeof runProjections>> = { projections: runProjections };

export async function operate(name: string, args: readonly string[], streams: NodeJS.Process): Promise<number> {
  const print = (line: string): void => void streams.stdout.write(`${line}\n`);
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    print(USAGE);
    return name === '' || name === 'help' || name === '--help' ? 0 : 2;
  }
  try {
    return await command(args, loadConfig({ ...startedServers(streams.env), ...streams.env }), print);
  } catch (error) {
    const expected = error instanceof ConfigError || (error instanceof Error && error.constructor !== TypeError);
    streams.stderr.write(
      `parley: ${expected ? error.message : error instanceof Error ? error.stack : String(error)}\n`,
    );
    return 1;
  }
}

/** What `npm start` has written down of its servers (apps/standalone/servers.ts), while it runs. */
function startedServers(env: NodeJS.ProcessEnv): Record<string, string | undefined> {
  const file = join(env['PARLEY_HOME'] ?? '.parley', 'servers.env');
  return existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {};
}
