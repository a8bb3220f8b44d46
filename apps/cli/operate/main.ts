#!/usr/bin/env node
/** `parley`: the operator's tool. It talks to what runs, through NATS and PostgreSQL; it keeps nothing itself. */
import { ConfigError, loadConfig } from '#service';
import { runProjections } from './projections.js';

const USAGE = `parley projections status                 how far each read model is, and which events are dead letters
parley projections rebuild [model ...]    build read models anew beside the live ones, then swap them in (all, if none is named)
parley projections replay <position>      take a dead letter in again: a rebuild of all read models, with it
NATS_URL and DATABASE_URL say where; \`npm start\` prints its own.`;

/** Each answers with the exit code. */
const COMMANDS: Readonly<Record<string, typeof runProjections>> = { projections: runProjections };

const [name = '', ...args] = process.argv.slice(2);
const print = (line: string): void => void process.stdout.write(`${line}\n`);
const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
if (command === undefined) {
  print(USAGE);
  process.exit(name === '' || name === 'help' || name === '--help' ? 0 : 2);
}
try {
  process.exit(await command(args, loadConfig(), print));
} catch (error) {
  const expected = error instanceof ConfigError || (error instanceof Error && error.constructor !== TypeError);
  process.stderr.write(`parley: ${expected ? error.message : error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}
