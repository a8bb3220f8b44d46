/** `parley projections`: what an operator asks about the read models, and asks of them. */
import { createInbox, type NatsConnection } from '@nats-io/transport-node';
import { formatPosition, REQUESTS } from '#contract';
import type { EventLog } from '#event-log';
import { checkpointsOf, countDeadLetters, type Database, listDeadLetters, projections } from '#read-models';
import type { Config } from '#service';
import { EXIT, type OperatorCommand, parsedArgs, type Report, UsageError } from './command.js';
import { withDatabase, withLog, withNats } from './servers.js';

const DEAD_LETTERS_SHOWN = 20;
/** A projection that rebuilds says something every second. */
const SILENCE_MS = 15_000;

export const projectionsCommand: OperatorCommand = {
  usage: `parley projections status                 how far each read model is, and which events are dead letters
parley projections rebuild [model ...]    build read models anew beside the live ones, then swap them in
parley projections replay <position>      take a dead letter in again: a rebuild of all read models, with it

  --json   one JSON object a line

A rebuild without names is one of all read models. A projection that runs does it, and goes on if this command is stopped.
Exit codes: 0 all is well; 1 a dead letter, a read model that is not built, or a rebuild that failed; 2 wrong usage.`,
  run({ args, report, config }) {
    const [action = '', ...rest] = parsedArgs(args, {}).positionals;
    if (action === 'status' && rest.length === 0) return statusOf(config(), report);
    if (action === 'rebuild') return rebuild(config(), { models: rest }, report);
    if (action === 'replay' && rest.length === 1) return rebuild(config(), { replay: rest[0] }, report);
    throw new UsageError('takes status, rebuild [model ...] or replay <position>');
  },
};

const statusOf = (config: Config, report: Report): Promise<number> =>
  withDatabase(config, (views) => withLog(config, (log) => status(log, views, report)));
const rebuild = (config: Config, data: object, report: Report): Promise<number> =>
  withNats(config, (nats) => ask(config, nats, data, report));

/** One line a read model and partition; exit code 0 when nothing needs an operator. */
export async function status(log: EventLog, views: Database, report: Report): Promise<number> {
  report.line(row(['read model', 'partition', 'checkpoint', 'of', 'behind', 'last event', 'note']));
  let missing = 0;
  for (let partition = 0; partition < log.partitions; partition++) {
    const last = await log.lastSequence(partition);
    const stored = await checkpointsOf(views, partition);
    for (const { name } of projections) {
      const checkpoint = stored.find(({ model }) => model === name);
      if (checkpoint === undefined) missing++;
      const note = checkpoint === undefined ? 'not built yet' : checkpoint.epoch === log.epoch ? '' : 'of another log';
      const { seq = 0, at = 0 } = checkpoint ?? {};
      const time = at === 0 ? '-' : new Date(at).toISOString();
      report.line(row([name, `${partition}`, `${seq}`, `${last}`, `${Math.max(0, last - seq)}`, time, note]));
      const behind = Math.max(0, last - seq);
      await report.item({ model: name, partition, seq, last, behind, at: at === 0 ? null : time, note });
    }
  }
  const letters = await listDeadLetters(views, DEAD_LETTERS_SHOWN);
  const count = letters.length < DEAD_LETTERS_SHOWN ? letters.length : await countDeadLetters(views);
  report.line(`dead letters: ${count}`);
  for (const letter of letters) {
    const [reason] = letter.reason.split('\n');
    report.line(`  ${formatPosition(letter)} ${letter.subject}: ${reason}`);
    await report.item({ deadLetter: formatPosition(letter), subject: letter.subject, reason });
  }
  if (count > 0)
    report.line('once they can be read (a newer version, a mended table): parley projections replay <position>');
  return count === 0 && missing === 0 ? EXIT.ok : EXIT.failed;
}

const WIDTHS = [12, 9, 12, 12, 8, 24];
const row = (cells: readonly string[]): string =>
  cells
    .map((cell, i) => cell.padEnd(WIDTHS[i] ?? 0))
    .join(' ')
    .trimEnd();

interface Heard {
  readonly kind: 'progress' | 'done' | 'failed';
  readonly text: string;
}

/** Asks a running projection for a rebuild and prints what it reports; the rebuild goes on if we are stopped. */
async function ask({ natsUser }: Config, nats: NatsConnection, data: object, report: Report): Promise<number> {
  const inbox = createInbox(natsUser === undefined ? undefined : `_INBOX_${natsUser}`);
  const answers = nats.subscribe(inbox);
  nats.publish(REQUESTS.rebuild, JSON.stringify({ pattern: REQUESTS.rebuild, data, id: inbox }), { reply: inbox });
  const silence = setTimeout(() => answers.unsubscribe(), SILENCE_MS);
  let shown = '';
  for await (const message of answers) {
    silence.refresh();
    if (message.headers?.code === NO_RESPONDERS) throw new Error('no projection runs: start one, it does the work');
    const { response, err } = message.json<{ response?: Heard; err?: unknown }>();
    if (err !== undefined) throw new Error(`projection failed: ${JSON.stringify(err)}`);
    if (response === undefined) continue;
    if (response.text !== shown) {
      report.line(response.text);
      await report.item(response);
    }
    shown = response.text;
    if (response.kind === 'progress') continue;
    clearTimeout(silence);
    return response.kind === 'done' ? EXIT.ok : EXIT.failed;
  }
  throw new Error('projection says nothing any more: the live read models are as they were; run it again');
}

const NO_RESPONDERS = 503;
