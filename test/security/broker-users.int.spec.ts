/**
 * What each user of the broker may do, with the file of production (deploy/nats/users.conf): every kind of subject that the contract
 * makes, and everything of JetStream that changes or reads a stream, against every user. What is not listed is refused.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connect, type NatsConnection, PermissionViolationError } from '@nats-io/transport-node';
import { COMMAND_NAMES, COMMANDS, commandSubject, REQUESTS, Subjects, TRANSIENT } from '#contract';
import { type NatsServer, natsUsers, type NatsUser, startNatsServer, temporaryFolder } from '#embedded';

const USERS = ['setup', 'commands', 'projection', 'gateway', 'api', 'operate'] as const satisfies readonly NatsUser[];
/** Every service that reads the log. */
const READERS: readonly NatsUser[] = ['commands', 'projection', 'gateway', 'api', 'operate'];
const NOBODY: readonly NatsUser[] = [];
const subjects = new Subjects(1);
const STREAMS = ['CHAT_0', 'CHAT_1', 'KV_presence_leases', 'KV_presence_connections', 'OBJ_attachments', 'ANOTHER'];

type Table = Readonly<Record<string, readonly NatsUser[]>>;

/** Who may publish. */
const PUBLISH: Table = {
  ...each(
    [subjects.config('r'), subjects.roster('r'), subjects.member('r', 'u'), subjects.timeline('r')],
    ['commands'],
  ),
  ...each([subjects.status('u'), subjects.profile('u')], ['commands']),
  // The broker alone, which copies there what it has stored.
  ...each(['live.room.r.timeline', 'live.room.r.config', 'live.room.r.member.u', 'live.user.u.status'], NOBODY),
  ...each(
    COMMAND_NAMES.map((name) => commandSubject(COMMANDS[name].service, name)),
    ['gateway', 'api'],
  ),
  'tails.0': ['projection'],
  'views.0': ['projection'],
  'deadletter.0': ['projection'],
  [TRANSIENT.typing('r')]: ['gateway'],
  'marked.u': ['projection'],
  [TRANSIENT.sessionRevoked('u')]: ['api', 'operate'],
  [REQUESTS.markRead]: ['gateway', 'api'],
  'projection.rebuild': ['operate'],
  '$KV.presence_leases.a': ['gateway'],
  '$KV.presence_connections.a.b': ['gateway'],
  '$O.attachments.C.a': ['gateway'],
  // Somebody who waits for an answer gets it from whom they asked. A rebuild reports in many.
  ...Object.fromEntries(USERS.map((user) => [`_INBOX_${user}.a.b`, user === 'operate' ? ['projection'] : NOBODY])),
  ...ofStreams('STREAM.CREATE', () => ['setup']),
  ...ofStreams('STREAM.UPDATE', (stream) => (stream === 'CHAT_0' ? ['setup'] : NOBODY)),
  ...ofStreams('STREAM.DELETE', () => NOBODY),
  ...ofStreams('STREAM.MSG.DELETE', () => NOBODY),
  ...ofStreams('STREAM.PURGE', (stream) => (stream === 'OBJ_attachments' ? ['gateway'] : NOBODY)),
  ...ofStreams('STREAM.SNAPSHOT', () => NOBODY),
  ...ofStreams('STREAM.RESTORE', () => NOBODY),
  ...ofStreams('STREAM.LEADER.STEPDOWN', () => NOBODY),
  ...each(['$SYS.REQ.SERVER.PING', '$JS.API.SERVER.REMOVE', '$JS.API.ACCOUNT.PURGE.A', 'anything.else'], NOBODY),
};

/** Who may subscribe. */
const SUBSCRIBE: Table = {
  'command.>': ['commands'],
  [REQUESTS.markRead]: ['projection'],
  'projection.rebuild': ['projection'],
  'live.>': READERS,
  'tails.*': ['gateway', 'api'],
  'views.*': ['projection', 'gateway', 'api'],
  [TRANSIENT.typingAll]: ['gateway'],
  'marked.*': ['gateway'],
  [TRANSIENT.sessionsRevokedAll]: ['gateway', 'api'],
  'deadletter.*': NOBODY,
  // Appends that were refused come by here too: nobody reads the log so.
  'chat.>': NOBODY,
  ...Object.fromEntries(USERS.map((user) => [`_INBOX_${user}.>`, [user]])),
  '_INBOX.>': NOBODY,
  '$KV.presence_connections.>': ['gateway'],
  '$KV.presence_leases.>': NOBODY,
  '$O.>': NOBODY,
  '$JS.>': NOBODY,
  '$SYS.>': NOBODY,
  '>': NOBODY,
};

function each(names: readonly string[], users: readonly NatsUser[]): Table {
  return Object.fromEntries(names.map((name) => [name, users]));
}

function ofStreams(verb: string, users: (stream: string) => readonly NatsUser[]): Table {
  return Object.fromEntries(STREAMS.map((stream) => [`$JS.API.${verb}.${stream}`, users(stream)]));
}

describe('on the broker of production', () => {
  let server: NatsServer;
  let home: Awaited<ReturnType<typeof temporaryFolder>>;
  const users = natsUsers();
  const clients = new Map<NatsUser, { connection: NatsConnection; refused: Set<string>; watching: Promise<void> }>();

  beforeAll(async () => {
    home = await temporaryFolder('broker-users');
    const { configExtra, env } = users;
    server = await startNatsServer({ storeDir: home.path, sync: 'off', configExtra, env });
    for (const user of USERS) {
      const given = { servers: server.url, ...users.credentials(user), inboxPrefix: `_INBOX_${user}` };
      const connection = await connect(given);
      const refused = new Set<string>();
      clients.set(user, { connection, refused, watching: watchRefusals(connection, refused) });
    }
  });
  afterAll(async () => {
    for (const { connection, watching } of clients.values()) {
      await connection.close();
      await watching;
    }
    await server?.stop();
    await home?.remove();
  });

  /** By subject, who was not refused: the broker says so before it answers the next ping. */
  async function tried(table: Table, operation: 'publish' | 'subscription'): Promise<Table> {
    for (const { connection } of clients.values()) {
      for (const subject of Object.keys(table))
        if (operation === 'publish') connection.publish(subject, '{}');
        else connection.subscribe(subject, { callback: () => undefined });
      await connection.flush();
    }
    await new Promise((resolve) => setImmediate(resolve));
    const may = (subject: string): NatsUser[] =>
      USERS.filter((user) => clients.get(user)?.refused.has(`${operation} ${subject}`) !== true);
    return Object.fromEntries(Object.keys(table).map((subject) => [subject, may(subject)]));
  }

  const inOrder = (table: Table): Table =>
    Object.fromEntries(
      Object.entries(table).map(([subject, who]) => [subject, USERS.filter((user) => who.includes(user))]),
    );

  test('everybody may publish what is theirs, and nothing else', async () => {
    expect(Object.keys(PUBLISH).length).toBeGreaterThan(70);
    expect(await tried(PUBLISH, 'publish')).toEqual(inOrder(PUBLISH));
  });

  test('everybody may listen to what concerns them, and to no one else’s answers', async () => {
    expect(await tried(SUBSCRIBE, 'subscription')).toEqual(inOrder(SUBSCRIBE));
  });

  test('a wrong password, another’s user, or none lets nobody in', async () => {
    const { pass } = users.credentials('gateway');
    for (const given of [{}, { user: 'commands', pass }, { user: 'gateway', pass: 'guess' }, { user: 'nobody', pass }])
      await expect(connect({ servers: server.url, reconnect: false, ...given })).rejects.toThrow(/authorization/i);
  });

  test('the contract has no other transient subjects', () => {
    const known = new Set([...Object.keys(PUBLISH), ...Object.keys(SUBSCRIBE)].map((subject) => subject.split('.')[0]));
    const made = Object.values(TRANSIENT).map((subject) => (typeof subject === 'string' ? subject : anyOf(subject)));
    expect(made.map((subject) => subject.split('.')[0]).filter((first) => !known.has(first))).toEqual([]);
  });
});

const anyOf = (subject: unknown): string => String((subject as (owner: string) => string)('1'));

/** Notes what the broker refuses on a connection, until it closes. */
async function watchRefusals(connection: NatsConnection, refused: Set<string>): Promise<void> {
  for await (const event of connection.status())
    if (event.type === 'error' && event.error instanceof PermissionViolationError)
      refused.add(`${event.error.operation} ${event.error.subject}`);
}
