/** One thing that somebody sends to the platform, whole and printable, so that it can be sent again. */
import fc from 'fast-check';
import { clientFrame, COMMANDS } from '#contract';
import { chatService } from '../grpc.js';
import { aToken, type Token, WAYS } from './tokens.js';
import { anything, bytesNear, shapedBy, textNear, written } from './values.js';

export type Attack =
  | {
      readonly by: 'socket';
      readonly hello: boolean;
      readonly frames: readonly { readonly text: boolean; readonly bytes: Buffer }[];
    }
  | {
      readonly by: 'http';
      readonly method: string;
      readonly path: string;
      readonly headers: Readonly<Record<string, string>>;
      readonly body: Buffer;
    }
  | { readonly by: 'grpc'; readonly method: string; readonly bytes: Buffer }
  | { readonly by: 'token'; readonly way: (typeof WAYS)[number]; readonly token: Token }
  /** An entry that stands in the log, as somebody else's code might have written it. */
  | { readonly by: 'log'; readonly subject: string; readonly bytes: Buffer };

const json = (value: fc.Arbitrary<unknown>): fc.Arbitrary<Buffer> =>
  bytesNear(value.map((given) => Buffer.from(written(given))));

const frames = fc.array(
  fc.record({
    text: fc.oneof({ weight: 9, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
    bytes: fc.oneof(
      { weight: 9, arbitrary: json(shapedBy(clientFrame)) },
      { weight: 1, arbitrary: json(anything) },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)) },
      { weight: 1, arbitrary: fc.constant(Buffer.alloc(70_000, 'x')) },
    ),
  }),
  { minLength: 1, maxLength: 4 },
);
const socket: fc.Arbitrary<Attack> = fc.record({
  by: fc.constant('socket'),
  hello: fc.oneof({ weight: 4, arbitrary: fc.constant(true) }, { weight: 1, arbitrary: fc.constant(false) }),
  frames,
});

/** Where names, positions and cursors stand. */
const part = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('fuzz', 'ann', 'bob', 'msg_1024', 'nowhere', 'e1.0.0.0.0') },
  { weight: 1, arbitrary: textNear(fc.constantFrom('fuzz', 'msg_1024', 'dm_x')).map(encodeURIComponent) },
  { weight: 1, arbitrary: fc.constantFrom('%', '%00', '%ff', '..', '%2e%2e%2f', '*', 'a'.repeat(5_000)) },
);
const QUERIES = [
  '/api/rooms',
  '/api/rooms/:x',
  '/api/rooms/:x/messages',
  '/api/rooms/:x/messages/:x',
  '/api/rooms/:x/users',
  '/api/rooms/:x/events',
  '/api/inbox',
  '/api/search',
  '/api/users/:x',
  '/api/me',
  '/api/messages/get',
  '/api/events',
  '/health',
  '/metrics',
];
const BODIES = [
  '/api/rooms/:x/join',
  '/api/rooms/:x/leave',
  '/api/rooms/:x/messages',
  '/api/messages',
  '/api/connections',
  '/api/auth/login',
  '/api/auth/register',
  '/api/auth/refresh',
  '/api/auth/demo',
];
const query = fc
  .dictionary(
    fc.constantFrom(
      'limit',
      'cursor',
      'before',
      'after',
      'order',
      'position',
      'q',
      'from',
      'roomId',
      'page',
      'size',
      'participants',
      'thread',
      'since',
    ),
    fc.oneof(
      fc.constantFrom(
        '1',
        '0',
        '-1',
        '1e9',
        'NaN',
        'asc',
        'fuzz',
        'msg_1024',
        '0-1',
        '9-1',
        '0-99999999999',
        'eyJ9',
        '%',
        '[]',
      ),
      textNear(fc.constantFrom('0-1', 'msg_2048', 'e1.1.1.1.1', 'bXNnXzE')).map(encodeURIComponent),
    ),
    { maxKeys: 4 },
  )
  .map((fields) =>
    Object.entries(fields)
      .map(([name, value]) => `${name}=${value}`)
      .join('&'),
  );
const TOKEN = '@token';
const headers = fc.dictionary(
  fc.constantFrom(
    'authorization',
    'idempotency-key',
    'parley-position',
    'content-type',
    'accept',
    'last-event-id',
    'origin',
    'x-forwarded-for',
    'content-encoding',
  ),
  fc.oneof(
    fc.constantFrom(
      '',
      'Bearer',
      `Bearer ${TOKEN}`,
      `Bearer ${TOKEN}x`,
      'Bearer a.b.c',
      'Basic eA==',
      'application/json',
      'text/plain',
      'gzip',
      '0-1',
      'k'.repeat(300),
    ),
    textNear(fc.constantFrom('Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhbm4ifQ.', '0-1', 'e1.1.1.1.1')).map((value) =>
      value.replace(/[^\x20-\x7e\x80-\xff]/g, ''),
    ),
  ),
  { maxKeys: 2 },
);
const commandRoutes = Object.values(COMMANDS).flatMap((command) =>
  'http' in command
    ? [
        {
          method: command.http.method as string,
          path: command.http.path as string,
          body: json(shapedBy(command.schema)),
        },
      ]
    : [],
);
const route = fc.oneof(
  fc.record({ method: fc.constant('GET'), path: fc.constantFrom(...QUERIES), body: fc.constant(Buffer.alloc(0)) }),
  fc.record({
    method: fc.constant('POST'),
    path: fc.constantFrom(...BODIES),
    body: json(fc.oneof(shapedBy(COMMANDS.SendMessage.schema), anything)),
  }),
  ...commandRoutes.map(({ method, path, body }) =>
    fc.record({ method: fc.constant(method), path: fc.constant(path), body }),
  ),
);
const http: fc.Arbitrary<Attack> = fc
  .tuple(route, fc.array(part, { minLength: 3, maxLength: 3 }), query, headers)
  .map(([{ method, path, body }, parts, search, given]) => {
    let next = 0;
    const filled = path.replace(/:[A-Za-z]+/g, () => parts[next++ % parts.length]!);
    return { by: 'http', method, path: search === '' ? filled : `${filled}?${search}`, headers: given, body };
  });

const fieldBytes = fc.oneof(
  fc
    .tuple(fc.integer({ min: 1, max: 10 }), fc.constantFrom('fuzz', 'ann', 'text', '', '\u0000', 'x'.repeat(300)))
    .map(([field, value]) =>
      Buffer.concat([Buffer.from([(field << 3) | 2]), lengthOf(Buffer.byteLength(value)), Buffer.from(value)]),
    ),
  fc
    .tuple(fc.integer({ min: 1, max: 10 }), fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }))
    .map(([field, value]) => Buffer.concat([Buffer.from([field << 3]), varint(value)])),
  fc.uint8Array({ maxLength: 12 }).map((bytes) => Buffer.from(bytes)),
);
const varint = (value: bigint): Buffer => {
  const bytes: number[] = [];
  for (let left = value; ; left >>= 7n) {
    const low = Number(left & 0x7fn);
    if (left < 0x80n) return Buffer.from([...bytes, low]);
    bytes.push(low | 0x80);
  }
};
const lengthOf = (length: number): Buffer => varint(BigInt(length));
const message = fc.array(fieldBytes, { maxLength: 6 }).map((fields) => Buffer.concat(fields));
/** A message within the first field: what most requests have. */
const within = message.map((bytes) => Buffer.concat([Buffer.from([0x0a]), lengthOf(bytes.length), bytes]));
const grpc: fc.Arbitrary<Attack> = fc.record({
  by: fc.constant('grpc'),
  method: fc.constantFrom(...Object.keys(chatService)),
  bytes: bytesNear(fc.oneof(message, within)),
});

const token: fc.Arbitrary<Attack> = fc.record({
  by: fc.constant('token'),
  way: fc.constantFrom(...WAYS),
  token: aToken,
});

export const overTheWire: fc.Arbitrary<Attack> = fc.oneof(socket, http, grpc, token);

/** Events of this version, of older and newer ones, and of none, on subjects of a room that nobody needs. */
export const event = fc.record(
  {
    v: fc.oneof(
      { weight: 4, arbitrary: fc.constant(1) },
      { weight: 1, arbitrary: anything },
      { weight: 1, arbitrary: fc.constantFrom(0, 2, 99) },
    ),
    type: fc.constantFrom(
      'MessageSent',
      'RoomCreated',
      'RosterChanged',
      'MemberJoined',
      'MemberLeft',
      'StatusChanged',
      'FromTheFuture',
    ),
    actor: fc.oneof(fc.constant('ann'), anything),
    data: fc.oneof(
      fc.constant({ content: 'x', type: 'text' }),
      fc.constant({ member: { userId: 'bob', standing: 'member', role: 'member', muted: false, banned: false } }),
      fc.constant({ roster: { members: 1, limit: 10, moderators: [] } }),
      anything,
    ),
    key: anything,
  },
  { requiredKeys: ['v', 'type', 'actor', 'data'] },
);
const KINDS = ['config', 'roster', 'member.bob', 'member.ann', 'timeline', 'timeline.more', 'what'];
/** The broker takes no more of anybody. */
const ENTRY_BYTES_MAX = 256 * 1024;
const log: fc.Arbitrary<Attack> = fc.record({
  by: fc.constant('log'),
  subject: fc.constantFrom(...KINDS),
  bytes: fc
    .oneof(
      json(event),
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
    )
    .map((bytes) => bytes.subarray(0, ENTRY_BYTES_MAX)),
});
/** Out of the log come entries that this version did not write. */
export const outOfTheLog: fc.Arbitrary<Attack> = log;
export const TOKEN_IN_HEADERS = TOKEN;
