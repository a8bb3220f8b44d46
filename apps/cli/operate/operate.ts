/** The operator's commands. They talk to what runs, through NATS and PostgreSQL, and keep nothing themselves. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import { type Config, ConfigError, loadConfig } from '#service';
import { backup } from './backup.js';
import { EXIT, type OperatorCommand, reportTo, type Streams, UsageError } from './command.js';
import { db } from './db.js';
import { doctor } from './doctor.js';
import { keys } from './keys.js';
import { log } from './log.js';
import { projectionsCommand } from './projections.js';
import { restore } from './restore.js';
import { setup } from './setup.js';
import { token } from './token.js';
import { user } from './user.js';

const COMMANDS: Readonly<Record<string, OperatorCommand>> = {
  setup,
  doctor,
  log,
  projections: projectionsCommand,
  user,
  token,
  keys,
  db,
  backup,
  restore,
};

const USAGE = `parley: the terminal client and the operator's tool

${['parley chat ...           talk in a terminal, a pipe or a script', ...Object.values(COMMANDS).map(({ usage }) => summaryOf(usage))].join('\n')}

parley <command> --help says more; --json prints one JSON object a line. NATS_URL and DATABASE_URL say where; without them it is
what \`npm start\` runs here (PARLEY_HOME). Exit codes: 0 all is well; 1 something is wrong or failed; 2 wrong usage.`;

/** @returns the exit code */
export async function operate(name: string, args: readonly string[], streams: Streams): Promise<number> {
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) return unknown(name, streams);
  if (args.includes('--help') || args.includes('-h')) {
    streams.stdout.write(`${command.usage}\n`);
    return EXIT.ok;
  }
  const report = reportTo(streams, args.includes('--json'));
  const stop = new AbortController();
  const end = (): void => stop.abort();
  process.once('SIGINT', end).once('SIGTERM', end);
  try {
    const given = args.filter((arg) => arg !== '--json');
    return await command.run({ args: given, report, config: () => configOf(streams.env), stop: stop.signal, streams });
  } catch (error) {
    report.end();
    return failed(error, name, streams);
  } finally {
    report.end();
    process.off('SIGINT', end).off('SIGTERM', end);
  }
}

function unknown(name: string, { stdout, stderr }: Streams): number {
  if (name === '' || name === 'help' || name === '--help' || name === '-h') {
    stdout.write(`${USAGE}\n`);
    return EXIT.ok;
  }
  stderr.write(`parley: there is no command ${name} (parley --help)\n`);
  return EXIT.usage;
}

/** One line for what an operator can mend; the whole stack for what only we can. */
function failed(error: unknown, name: string, { stderr }: Streams): number {
  if (error instanceof UsageError) {
    stderr.write(`parley ${name}: ${error.message} (parley ${name} --help)\n`);
    return EXIT.usage;
  }
  const expected = error instanceof ConfigError || (error instanceof Error && error.constructor !== TypeError);
  stderr.write(`parley: ${expected ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
  return EXIT.failed;
}

/** The environment's; where it names no servers, those that `npm start` has written down (apps/standalone/servers.ts), while it runs. */
function configOf(env: Streams['env']): Config {
  const namesServers = [env['NATS_URL'], env['DATABASE_URL']].some((url) => url !== undefined && url !== '');
  const file = join(env['PARLEY_HOME'] ?? '.parley', 'servers.env');
  const started = !namesServers && existsSync(file) ? parseEnv(readFileSync(file, 'utf8')) : {};
  return loadConfig({ ...env, ...started });
}

/** The lines of a usage that name the command's forms. */
function summaryOf(usage: string): string {
  return usage.slice(0, usage.indexOf('\n\n'));
}
