/**
 * What an entry of each bounded memory of `commands` and `api` costs, for docs/SOAK.md:
 *
 *   node --expose-gc --conditions=source --import @swc-node/register/esm-register apps/commands/path/test-cache-bytes.ts
 */
import { createHmac } from 'node:crypto';
import { decodeEvent, type ChatEvent } from '#contract';
import { createTokenVerifier, loadConfig, RateLimit } from '#service';
import { Remembered } from './remembered.js';

const ENTRIES = 20_000;
const SECRET = 'a secret that only measures something';

/** As they come out of the log: parsed, with a key each. */
function stored(type: ChatEvent['type'], data: object, i: number): object {
  const key = { id: `k${i}`.padEnd(22, 'k'), body: `b${i}`.padEnd(22, 'b') };
  const decoded = decodeEvent(JSON.stringify({ v: 1, type, actor: `person-${i}`, key, data }));
  if (decoded.kind !== 'event') throw new Error(`${type} is ${decoded.kind}`);
  return { seq: i, at: 1_790_000_000_000 + i, event: decoded.event, confirmedAtMs: i + 0.5 };
}

const member = (i: number): object => ({
  member: { userId: `person-${i}`, standing: 'member', role: 'member', muted: false, banned: false },
});
const room = (i: number, settings: Record<string, string>, description: string): object => ({
  room: {
    kind: 'room',
    name: `Room ${i}`,
    description,
    isPrivate: false,
    maxMembers: 100,
    settings,
    createdBy: `person-${i}`,
    archived: false,
  },
});
const largest = (i: number): object => {
  const settings = Array.from({ length: 32 }, (_, at) => [`s${at}`, `${i}-`.padEnd(250, 'x')]);
  return room(i, Object.fromEntries(settings) as Record<string, string>, `${i}-`.padEnd(1_000, 'y'));
};

const token = (i: number): string => {
  const claims = {
    sub: `person-${i}`,
    username: `Person ${i}`,
    sid: `s${i}`.padEnd(36, 's'),
    iss: 'parley',
    exp: 4_000_000_000,
  };
  const parts = [{ alg: 'HS256', typ: 'JWT' }, claims].map((each) =>
    Buffer.from(JSON.stringify(each)).toString('base64url'),
  );
  return `${parts.join('.')}.${createHmac('sha256', SECRET).update(parts.join('.')).digest('base64url')}`;
};

/** Fills a memory and says what one of its entries costs. */
async function measure(what: string, entries: number, fill: (i: number) => unknown, kept: unknown): Promise<void> {
  const used = (): number => {
    globalThis.gc?.();
    return process.memoryUsage().heapUsed;
  };
  const before = used();
  for (let i = 0; i < entries; i++) await fill(i);
  const bytes = (used() - before) / entries;
  console.log(`${what.padEnd(40)} ${bytes.toFixed(0).padStart(7)} bytes an entry${kept === undefined ? '?' : ''}`);
}

if (globalThis.gc === undefined) throw new Error('run it with --expose-gc');
const memory = (): Remembered<object> => new Remembered<object>(10 * ENTRIES);
const [members, rooms, large, openings] = [memory(), memory(), memory(), memory()];
await measure(
  'membership',
  ENTRIES,
  (i) => members.set(`chat.1.room.room-${i}.member.person-${i}`, stored('MemberJoined', member(i), i)),
  members,
);
await measure(
  'room',
  ENTRIES,
  (i) => rooms.set(`chat.1.room.room-${i}.config`, stored('RoomCreated', room(i, { color: 'red' }, 'A room'), i)),
  rooms,
);
await measure(
  'room of the largest size',
  2_000,
  (i) => large.set(`chat.1.room.room-${i}.config`, stored('RoomCreated', largest(i), i)),
  large,
);
await measure(
  'opening of a channel',
  ENTRIES,
  (i) =>
    openings.set(`chat.1.room.dm_${i}.config`, { id: `k${i}`.padEnd(22, 'k'), body: `b${i}`.padEnd(22, 'b'), seq: i }),
  openings,
);
const limit = new RateLimit(1, 10, true);
await measure('who is counted for a rate limit', ENTRIES, (i) => limit.take(`person-${i}`), limit);
const verifier = createTokenVerifier(loadConfig({ JWT_SECRET: SECRET }), () => Promise.reject(new Error('no keys')));
await measure('token', 9_000, (i) => verifier.verify(token(i)), verifier);
const ended = new Map<string, { untilMs: number }>();
await measure(
  'session that has ended',
  ENTRIES,
  (i) => ended.set(`s${i}`.padEnd(36, 's'), { untilMs: Date.now() + i }),
  ended,
);
