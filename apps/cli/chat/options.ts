/** The command line of `parley chat`. */
import { parseArgs } from 'node:util';

export const CHAT_USAGE = `parley chat: talk in a terminal, in a pipe, or from a script.

  npm run chat -- --user alice                 as a demo user (npm start has some)
  parley chat --user ann --password ...        with an account
  parley chat --token ...                      with a token

  --url <url>        where Parley is (http://127.0.0.1:3000; or PARLEY_URL)
  --user <name>      who signs in; alone, a demo user
  --password <text>  of an account (or PARLEY_PASSWORD, which no process list shows)
  --token <token>    instead of signing in (or PARLEY_TOKEN)
  --room <room>      join this room at once
  --json             one JSON object a line, out and in
  --no-color         no colours; NO_COLOR and an output that is no terminal do the same
  --wait <seconds>   at the end of the input: wait so long for acknowledgements (30)
  --help

Lines are messages to the room that you are in; /help lists the commands. Without a terminal, lines are read to the end of the
input, and it ends when every message has been acknowledged.

Exit codes: 0 all went well; 1 something failed or was refused; 2 wrong usage.`;

export interface ChatOptions {
  readonly url: string;
  readonly user: string | undefined;
  readonly password: string | undefined;
  readonly token: string | undefined;
  readonly room: string | undefined;
  readonly json: boolean;
  readonly color: boolean;
  /** The terminal can only write lines: it is used as a pipe is. */
  readonly dumb: boolean;
  readonly waitMs: number;
}

/** A wrong command line; `message` is one line. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

type Environment = Readonly<Record<string, string | undefined>>;

const DEFAULT_URL = 'http://127.0.0.1:3000';
const WAIT_S = 30;
const WAIT_S_MAX = 3_600;

/** @throws UsageError. Undefined when only the usage was asked for. */
export function chatOptions(args: readonly string[], env: Environment): ChatOptions | undefined {
  const given = parsed(args);
  if (given.help === true) return undefined;
  const token = given.token ?? nonEmpty(env['PARLEY_TOKEN']);
  if (given.user === undefined && token === undefined) throw new UsageError('who are you? give --user or --token');
  if (given.user !== undefined && given.token !== undefined)
    throw new UsageError('a token says who you are: give --user or --token, not both');
  return {
    url: urlOf(given.url ?? nonEmpty(env['PARLEY_URL']) ?? DEFAULT_URL),
    user: given.user,
    password: given.password ?? nonEmpty(env['PARLEY_PASSWORD']),
    token: given.user === undefined ? token : undefined,
    room: given.room,
    json: given.json ?? false,
    color: given['no-color'] !== true && nonEmpty(env['NO_COLOR']) === undefined,
    dumb: env['TERM'] === 'dumb',
    waitMs: waitMs(given.wait),
  };
}

function parsed(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      strict: true,
      allowPositionals: false,
      options: {
        url: { type: 'string' },
        user: { type: 'string', short: 'u' },
        password: { type: 'string' },
        token: { type: 'string' },
        room: { type: 'string' },
        json: { type: 'boolean' },
        'no-color': { type: 'boolean' },
        wait: { type: 'string' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    throw new UsageError(error instanceof Error ? (error.message.split('. ')[0] ?? '') : String(error), {
      cause: error,
    });
  }
}

function urlOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol))
    throw new UsageError(`--url ${text}: takes http://host:port or https://host`);
  return url.href.replace(/\/+$/, '');
}

function waitMs(text: string | undefined): number {
  const seconds = text === undefined ? WAIT_S : Number(text);
  if (text?.trim() === '' || !(seconds >= 0 && seconds <= WAIT_S_MAX))
    throw new UsageError(`--wait ${text}: takes seconds, 0 to ${WAIT_S_MAX}`);
  return seconds * 1_000;
}

const nonEmpty = (text: string | undefined): string | undefined => (text === '' ? undefined : text);
