/**
 * The broker's users as production has them: deploy/nats/users.conf itself, with passwords made for this run, which reach
 * nats-server as they do there, by its environment. One user more, for tests, may do everything; it exists in no file of `deploy`.
 */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './places.js';

/** The users of deploy/nats/users.conf. */
export type NatsUser = 'commands' | 'projection' | 'gateway' | 'api' | 'operate' | 'setup' | 'backup' | 'restore';

export interface NatsUsers {
  /** Further lines of nats-server's configuration, and the environment that they need. */
  readonly configExtra: string;
  readonly env: Readonly<Record<string, string>>;
  /** Of the user for tests when none is named. */
  credentials(user?: NatsUser): { user: string; pass: string };
}

const FILE = join('deploy', 'nats', 'users.conf');
const FOR_TESTS = 'tests';
const USERS = /^\s*users = \[$/m;
const USER = /user: (\w+)\n\s*password: \$(\w+)/g;

/** @throws Error when the file does not list users in the way that is read here */
export function natsUsers(): NatsUsers {
  const file = readFileSync(join(projectRoot(), FILE), 'utf8');
  const found = [...file.matchAll(USER)].map(([, user = '', variable = '']) => ({ user, variable }));
  if (!USERS.test(file) || found.length === 0) throw new Error(`${FILE} lists no users in the way that is known here`);
  const passwords = new Map(found.map(({ user }) => [user, newPassword()]));
  const forTests = { user: FOR_TESTS, pass: newPassword() };
  return {
    configExtra: file.replace(USERS, (line) => `${line}\n    { user: ${forTests.user}, password: ${forTests.pass} }`),
    env: Object.fromEntries(found.map(({ user, variable }) => [variable, passwords.get(user) ?? ''])),
    credentials: (user) => {
      if (user === undefined) return forTests;
      const pass = passwords.get(user);
      if (pass === undefined) throw new Error(`${FILE} has no user ${user}`);
      return { user, pass };
    },
  };
}

/** Begins with a letter and holds letters and digits only, because nats-server reads it as part of its configuration. */
const newPassword = (): string => `p${randomBytes(24).toString('hex')}`;

/** `nats://user:password@host:port` for each of a broker's addresses. */
export function withCredentials(url: string, { user, pass }: { user: string; pass: string }): string[] {
  return url.split(',').map((each) => each.replace('://', `://${user}:${pass}@`));
}

/**
 * What the NATS client's `connect` takes, made of such addresses: it reads no user out of them by itself. The inbox is the user's
 * own, which is the only one that it may listen to.
 */
export function natsOptions(urls: readonly string[]): {
  servers: string[];
  user?: string;
  pass?: string;
  inboxPrefix?: string;
} {
  const [first] = urls.map((url) => new URL(url));
  const servers = urls.map((url) => new URL(url).host);
  if (!first?.username) return { servers };
  return { servers, user: first.username, pass: first.password, inboxPrefix: `_INBOX_${first.username}` };
}
