/**
 * The demo's people and rooms (contracts.md section 1). Every command has a fixed key and every account a fixed id, so that
 * seeding again changes nothing: not even what somebody has renamed, left or archived since.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type CommandName, DomainError, type RefusalCode, REFUSALS } from '#contract';
import type { Database } from '#read-models';
import type { CommandBus } from '#service';

export const DEMO_USERS = [
  { userId: 'user1', username: 'alice', displayName: 'Alice Johnson' },
  { userId: 'user2', username: 'bob', displayName: 'Bob Smith' },
  { userId: 'user3', username: 'charlie', displayName: 'Charlie Brown' },
] as const;

/** The first two users are in the first two rooms; the third is in none, so that joining can be shown. */
export const DEMO_ROOMS = [
  {
    roomId: 'room1',
    name: 'General Discussion',
    description: 'Anything goes',
    maxMembers: 100,
    messages: [
      { from: 'user1', content: 'Hello everyone! Welcome to the chat.' },
      { from: 'user2', content: 'Hi Alice! Great to be here.' },
      { from: 'user1', content: 'Open this page as bob in a second window and say something.' },
    ],
  },
  {
    roomId: 'room2',
    name: 'Tech Support',
    description: 'Questions and answers',
    maxMembers: 50,
    messages: [
      { from: 'user2', content: 'Does a message survive when the server is killed?' },
      { from: 'user1', content: 'Once it is acknowledged, yes: try it.' },
    ],
  },
] as const;

/** Open rooms to find and join. */
export const PREDEFINED_ROOMS = ['General', 'Technology', 'Crypto', 'Sports', 'Movies'] as const;

/** Services that start beside this one are waited for so long. */
const SEED_MAX_MS = 60_000;
const RETRY_WAIT_MS = 200;
/** Somebody made a room of this name first, or another version of the demo did; or it has been archived, filled or left. */
const LEFT_AS_IT_IS: ReadonlySet<RefusalCode> = new Set([
  'already_exists',
  'banned',
  'key_reused',
  'muted',
  'not_member',
  'room_archived',
  'room_full',
  'room_not_found',
]);

export interface DemoResources {
  readonly bus: CommandBus;
  readonly database: Database;
}

/**
 * Makes what is missing of the demo.
 * @throws DomainError when the commands do not answer within a minute
 */
export async function seedDemo({ bus, database }: DemoResources): Promise<void> {
  await insertAccounts(database);
  const giveUpAt = performance.now() + SEED_MAX_MS;
  const run = (name: CommandName, userId: string, body: object, key: string): Promise<void> =>
    untilTaken(() => bus.run(name, { userId }, body, `demo-${key}`), giveUpAt);
  for (const { userId, username, displayName } of DEMO_USERS)
    await run('ChangeProfile', userId, { username, displayName }, `profile-${userId}`);
  for (const { messages, ...room } of DEMO_ROOMS) {
    await run('CreateRoom', 'user1', room, `room-${room.roomId}`);
    await run('JoinRoom', 'user2', { roomId: room.roomId }, `join-${room.roomId}`);
    // One after the other: their order is the conversation.
    for (const [i, { from, content }] of messages.entries())
      await run('SendMessage', from, { roomId: room.roomId, content }, `message-${room.roomId}-${i}`);
  }
  for (const name of PREDEFINED_ROOMS) await run('CreateRoom', 'user1', { roomId: name, name }, `room-${name}`);
}

/** Demo users have no password: they sign in by name, in demo mode only. */
async function insertAccounts(database: Database): Promise<void> {
  for (const { userId, username } of DEMO_USERS)
    await database.query(
      'demo-account',
      `insert into accounts (user_id, username, username_key, email) values ($1, $2, $2, $3) on conflict do nothing`,
      [userId, username, `${username}@demo.invalid`],
    );
}

async function untilTaken(run: () => Promise<unknown>, giveUpAt: number): Promise<void> {
  for (;;) {
    try {
      await run();
      return;
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      if (LEFT_AS_IT_IS.has(error.code)) return;
      if (!REFUSALS[error.code].temporary || performance.now() >= giveUpAt) throw error;
      await delay(error.retryMs ?? RETRY_WAIT_MS);
    }
  }
}
