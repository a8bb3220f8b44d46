/** `parley user`: Parley's own accounts. */
import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import type { NatsConnection } from '@nats-io/transport-node';
import { parseOrRefuse, registration, TRANSIENT } from '#contract';
import {
  type AccountView,
  createAccount,
  type Database,
  disableAccount,
  enableAccount,
  getAccount,
  listAccounts,
} from '#read-models';
import { type Config, ConfigError, hashPassword } from '#service';
import {
  EXIT,
  type Invocation,
  type OperatorCommand,
  parsedArgs,
  positionals,
  type Report,
  UsageError,
} from './command.js';
import { withDatabase, withNats } from './servers.js';

const PAGE = 500;
const PASSWORD_BYTES = 15;

export const user: OperatorCommand = {
  usage: `parley user create <username> --email <e-mail> [--admin]   an account; its password is made and printed once
parley user list                                           all accounts
parley user disable <user>                                 nobody signs in with it any more, and its sessions end now
parley user enable <user>                                  undoes that; sessions do not come back

  --password-stdin   create: the password is the first line of the input
  --admin            create: tokens carry the claim "admin": true
  --json             one JSON object a line

For deployments with accounts of their own; where JWT_SECRET or JWKS_URL is set, others say who may sign in.`,
  run(invocation) {
    const [action, ...args] = invocation.args;
    const rest = { ...invocation, args };
    if (action === 'create') return create(rest);
    if (action === 'list') return list(rest);
    if (action === 'disable') return disable(rest);
    if (action === 'enable') return enable(rest);
    throw new UsageError('takes create, list, disable or enable');
  },
};

async function create({ args, report, config, streams }: Invocation): Promise<number> {
  const { values, positionals: rest } = parsedArgs(args, {
    email: { type: 'string' },
    admin: { type: 'boolean' },
    'password-stdin': { type: 'boolean' },
  });
  const [username] = positionals(rest, ['username'] as const);
  if (values.email === undefined) throw new UsageError('create takes --email <e-mail>');
  const isGiven = values['password-stdin'] === true;
  const password = isGiven
    ? ((await text(streams.stdin)).split(/\r?\n/)[0] ?? '')
    : randomBytes(PASSWORD_BYTES).toString('base64url');
  const given = parseOrRefuse(registration, { username, email: values.email, password });
  return withDatabase(withAccounts(config()), async (database) => {
    const passwordHash = await hashPassword(given.password);
    const { username, email } = given;
    const made = await createAccount(database, { username, email, passwordHash, admin: values.admin === true });
    if (made === undefined) throw new Error('username or email is already taken');
    report.line(`${made.userId} can sign in${made.admin ? ', as an administrator' : ''}`);
    if (!isGiven) report.line(`password: ${password}`);
    await report.item({ ...made, ...(isGiven ? {} : { password }) });
    return EXIT.ok;
  });
}

function list({ args, report, config }: Invocation): Promise<number> {
  positionals(parsedArgs(args, {}).positionals, []);
  return withDatabase(withAccounts(config()), async (database) => {
    report.line(row(['user', 'name', 'e-mail', 'sessions', 'since', 'note']));
    for (let after = ''; ;) {
      const accounts = await listAccounts(database, after, PAGE);
      for (const account of accounts) {
        const { userId, username, email, sessions, createdAt } = account;
        report.line(row([userId, username, email, `${sessions}`, createdAt.slice(0, 10), noteOf(account)]));
        await report.item(account);
      }
      const last = accounts.at(-1);
      if (last === undefined || accounts.length < PAGE) return EXIT.ok;
      after = last.userId;
    }
  });
}

function disable({ args, report, config: read }: Invocation): Promise<number> {
  const [name] = positionals(parsedArgs(args, {}).positionals, ['user'] as const);
  const config = withAccounts(read());
  return withDatabase(config, (database) =>
    withNats(config, async (nats) => {
      const { userId } = await accountOf(database, name);
      const ended = await disableAccount(database, userId);
      await announce(nats, userId, ended);
      return changed(database, userId, `${userId} is disabled; sessions ended: ${ended.length}`, report);
    }),
  );
}

/** Gateways close the sessions' sockets, and whoever checks tokens refuses theirs. */
async function announce(nats: NatsConnection, userId: string, sessions: readonly string[]): Promise<void> {
  for (const sessionId of sessions)
    nats.publish(TRANSIENT.sessionRevoked(userId), JSON.stringify({ userId, sessionId }));
  await nats.flush();
}

function enable({ args, report, config }: Invocation): Promise<number> {
  const [name] = positionals(parsedArgs(args, {}).positionals, ['user'] as const);
  return withDatabase(withAccounts(config()), async (database) => {
    const { userId } = await accountOf(database, name);
    await enableAccount(database, userId);
    return changed(database, userId, `${userId} can sign in again`, report);
  });
}

async function changed(database: Database, userId: string, what: string, report: Report): Promise<number> {
  report.line(what);
  await report.item(await accountOf(database, userId));
  return EXIT.ok;
}

async function accountOf(database: Database, name: string): Promise<AccountView> {
  const account = await getAccount(database, name);
  if (account === undefined) throw new Error(`there is no account ${name}: parley user list`);
  return account;
}

/** @throws ConfigError where somebody else says who may sign in */
export function withAccounts(config: Config): Config {
  if (config.identity === 'accounts' || config.identity === 'demo') return config;
  const [variable, who] =
    config.identity === 'jwks' ? ['JWKS_URL', 'that issuer'] : ['JWT_SECRET', 'whoever holds the secret'];
  throw new ConfigError(`${variable} is set: ${who} says who may sign in, and accounts are off`);
}

const WIDTHS = [20, 20, 28, 8, 10];
const row = (cells: readonly string[]): string =>
  cells
    .map((cell, i) => cell.padEnd(WIDTHS[i] ?? 0))
    .join(' ')
    .trimEnd();

const noteOf = ({ admin, disabled, hasPassword }: AccountView): string =>
  [admin ? 'admin' : '', disabled ? 'disabled' : '', hasPassword ? '' : 'demo']
    .filter((word) => word !== '')
    .join(', ');
