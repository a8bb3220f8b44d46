/** The operator's commands. They talk to what runs, through NATS and PostgreSQL, and keep nothing themselves. */
import { ConfigError, loadConfig } from '#service';
import { runProjections } from './projections.js';

const USAGE = `parley chat ...                           talk in a terminal (parley chat --help)
parley projections status                 how far each read model is, and which events are dead letters
parley projections rebuild [model ...]    build read models anew beside the live ones, then swap them in (all, if none is named)
parley projections replay <position>      take a dead letter in again: a rebuild of all read models, with it
NATS_URL and DATABASE_URL say where; \`npm start\` prints its own.`;

const COMMANDS: Readonly<Record<string, typeof runProjections>> = { projections: runProjections };

export async function operate(name: string, args: readonly string[], streams: NodeJS.Process): Promise<number> {
  const print = (line: string): void => void streams.stdout.write(`${line}\n`);
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    print(USAGE);
    return name === '' || name === 'help' || name === '--help' ? 0 : 2;
  }
  try {
    return await command(args, loadConfig(), print);
  } catch (error) {
    const expected = error instanceof ConfigError || (error instanceof Error && error.constructor !== TypeError);
    streams.stderr.write(
      `parley: ${expected ? error.message : error instanceof Error ? error.stack : String(error)}\n`,
    );
    return 1;
  }
}
