/** One platform with accounts of its own, as in production, and everybody that the matrix asks as. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseEnv } from 'node:util';
import type { JWK } from 'jose';
import { freePort, waitUntil } from '#embedded';
import { openDatabase } from '#read-models';
import { Grpc } from '../grpc.js';
import { type Http, textAt, type Answer } from '../http.js';
import { startStandalone, type Standalone } from '../platform.js';
import type { Case } from './operations.js';
import { type BadToken, badTokens, type OwnKey, signed } from './tokens.js';
import { type Caller, CALLERS, type RoomKind } from './rules.js';

const WAIT_MS = 30_000;
/** Those beside the callers: whom moderation is about, whom an invitation is for, and who signs out. */
const OTHERS = ['target', 'guest', 'gone'] as const;
type Person = Caller | (typeof OTHERS)[number];

export interface MatrixWorld {
  readonly platform: Standalone;
  readonly grpc: Grpc;
  readonly bad: readonly BadToken[];
  token(person: Person): string;
  http(person: Person): Http;
  /** A room with everybody in it as they are called. */
  readonly shared: Readonly<Record<RoomKind, Omit<Case, 'me'>>>;
  /** A room of its own, with its owner, the target, and the caller as they are called. */
  fresh(kind: RoomKind, caller: Caller): Promise<Omit<Case, 'me'>>;
  stop(): Promise<void>;
}

export async function startMatrixWorld(): Promise<MatrixWorld> {
  const port = await freePort();
  const platform = await startStandalone({
    PARLEY_DEMO: '0',
    JWT_SECRET: '',
    RATE_LIMITS: 'off',
    PARLEY_SYNC: 'off',
    GRPC_PORT: String(port),
  });
  try {
    const key = await ownKey(platform);
    const tokens = await peopleOf(platform.http, key);
    const rooms = new Rooms(platform.http, tokens, new Grpc(`127.0.0.1:${port}`));
    const revoked = tokens.get('gone') ?? '';
    await signOut(platform.http, rooms.grpc, revoked);
    return {
      platform,
      grpc: rooms.grpc,
      bad: await badTokens(key, 'owner', revoked),
      token: (person) => rooms.token(person),
      http: (person) => platform.http.as(rooms.token(person)),
      shared: { public: await rooms.full('public'), private: await rooms.full('private') },
      fresh: (kind, caller) => rooms.of(kind, [caller]),
      stop: async () => {
        rooms.grpc.close();
        await platform.stop();
      },
    };
  } catch (error) {
    await platform.stop();
    throw error;
  }
}

/** The key as it lies in the database: what is wrong with a token is then not its key. */
async function ownKey({ home, http }: Standalone): Promise<OwnKey> {
  await http.get('/.well-known/jwks.json'); // the first to ask makes it
  const { DATABASE_URL: url = '' } = parseEnv(readFileSync(join(home, 'servers.env'), 'utf8'));
  const database = await openDatabase(url);
  try {
    const [row] = await database.query<{ kid: string; public_jwk: JWK; private_jwk: JWK }>(
      'matrix-key',
      'select kid, public_jwk, private_jwk from signing_keys',
    );
    if (row === undefined) throw new Error('the platform has no signing key');
    return { kid: row.kid, publicJwk: row.public_jwk, privateJwk: row.private_jwk };
  } finally {
    await database.close();
  }
}

/** Everybody but the stranger has an account. */
async function peopleOf(http: Http, key: OwnKey): Promise<ReadonlyMap<Person, string>> {
  const withAccounts = [...CALLERS, ...OTHERS].filter((person) => person !== 'stranger');
  const entries = withAccounts.map(async (username): Promise<[Person, string]> => {
    const account = { username, email: `${username}@example.org`, password: randomBytes(12).toString('hex') };
    const token = textAt((await http.post('/api/auth/register', account)).json, 'token');
    await done(http.as(token).put('/api/users/me/status', { status: { mood: 'new' } }));
    return [username, token];
  });
  return new Map([...(await Promise.all(entries)), ['stranger', await signed(key, 'stranger')]]);
}

/** Everybody who verifies tokens has to hear of it. */
async function signOut(http: Http, grpc: Grpc, token: string): Promise<void> {
  await done(http.as(token).post('/api/auth/logout', {}));
  const of = grpc.as(token);
  await waitUntil('the session has ended everywhere', WAIT_MS, async () => {
    const { status } = await http.as(token).get('/api/me');
    return status === 401 && (await of.call('GetRooms', {})).code === 16;
  });
  of.close();
}

async function done(asked: Promise<Answer>): Promise<Answer> {
  const answer = await asked;
  if (answer.status >= 300) throw new Error(`the matrix cannot be set up: ${answer.status} ${answer.text}`);
  return answer;
}

class Rooms {
  private made = 0;

  constructor(
    private readonly http: Http,
    private readonly tokens: ReadonlyMap<Person, string>,
    readonly grpc: Grpc,
  ) {}

  token(person: Person): string {
    return this.tokens.get(person) ?? '';
  }

  full(kind: RoomKind): Promise<Omit<Case, 'me'>> {
    return this.of(kind, CALLERS);
  }

  async of(kind: RoomKind, callers: readonly Caller[]): Promise<Omit<Case, 'me'>> {
    this.made += 1;
    const room = `matrix-${kind === 'public' ? 'open' : 'shut'}-${this.made}`;
    const owner = this.as('owner');
    const isPrivate = kind === 'private';
    await done(owner.post('/api/rooms', { id: room, name: `Called ${room}`, isPrivate }));
    await this.bringIn(room, isPrivate, 'target');
    for (const caller of callers) await this.seat(room, isPrivate, caller);
    const said = await done(owner.post(`/api/rooms/${room}/messages`, { content: 'hello, matrix' }));
    const position = textAt(said.json, 'position');
    await done(owner.get(`/api/rooms/${room}`, { headers: { 'parley-position': position } }));
    const file = callers.length > 1 ? await this.fileIn(room) : '';
    return { room, message: textAt(said.json, 'id'), file, target: 'target', guest: 'guest' };
  }

  private as(person: Person): Http {
    return this.http.as(this.token(person));
  }

  private async seat(room: string, isPrivate: boolean, caller: Caller): Promise<void> {
    const change = (body: object) => done(this.as('owner').put(`/api/rooms/${room}/members/${caller}`, body));
    if (caller === 'moderator' || caller === 'member' || caller === 'muted')
      await this.bringIn(room, isPrivate, caller);
    if (caller === 'moderator') await change({ role: 'moderator' });
    if (caller === 'muted') await change({ muted: true });
    if (caller === 'banned') await change({ banned: true });
  }

  private async bringIn(room: string, isPrivate: boolean, person: Person): Promise<void> {
    if (isPrivate) await done(this.as('owner').post(`/api/rooms/${room}/invites`, { userId: person }));
    await done(this.as(person).post(`/api/rooms/${room}/join`, {}));
  }

  private async fileIn(room: string): Promise<string> {
    const owner = this.grpc.as(this.token('owner'));
    const bytes = { filename: 'a.txt', content_type: 'text/plain', size: 2, data: Buffer.from('hi') };
    const answer = await owner.upload([{ ...bytes, room_id: room, user_id: 'owner' }]);
    owner.close();
    return textAt(answer.value, 'file_id');
  }
}
