/**
 * Faults planted in running services, each of which the history checker has to find: a part of one service is replaced where it is
 * wired, the rest of the platform is honest, and a story is played on real servers. With nothing planted it finds nothing.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { openDatabase, type Database } from '#read-models';
import type { Running } from '#service';
import { checkHistory, type ClientHistory, describeViolations, type History, type ViolationKind } from '#testing';
import {
  answersFirst,
  appliedTwice,
  type Armed,
  checkpointFirst,
  cursorsAhead,
  droppedIds,
  dropsLive,
  keysOfAllRooms,
  leaks,
  recoversNothing,
  reorders,
  repeats,
  resumesLate,
  unfencedSeats,
  unfencedSends,
  unreadOff,
} from './faults.js';
import { keyRecord, type Stage, Story } from './story.js';
import { type Plant, World } from './world.js';

const START_MS = 120_000;
const world = new World();
let database: Database;
/** Of the honest services one of each, but for two gateways. */
let gateway: Awaited<ReturnType<World['gateway']>>;
let otherGateway: Awaited<ReturnType<World['gateway']>>;
let api: Awaited<ReturnType<World['api']>>;
const running = new Map<Replaceable, Running>();

/** Services of which only one may run at a time. */
const REPLACEABLE = {
  sends: (plant?: Plant) => world.commands(['send'], plant),
  moves: (plant?: Plant) => world.commands(['join', 'leave', 'status'], plant),
  projection: (plant?: Plant) => world.projection(plant),
} as const;
type Replaceable = keyof typeof REPLACEABLE;

beforeAll(async () => {
  await world.start();
  for (const name of ['moves', 'sends', 'projection'] as const) running.set(name, await REPLACEABLE[name]());
  [gateway, otherGateway, api] = await Promise.all([world.gateway(), world.gateway(), world.api()]);
  database = await openDatabase(world.databaseUrl);
}, START_MS);

afterAll(async () => {
  await database?.close();
  await world.stop();
}, START_MS);

async function historyOf(stage: Partial<Stage> = {}): Promise<History> {
  const keys = async () =>
    (await database.query('keys', 'select * from message_keys')).map((row) => keyRecord({ ...row }));
  const { natsUrl } = world;
  const places = { natsUrl, http: api.url, socket: gateway.socket, backAt: otherGateway.socket };
  return new Story({ ...places, keys, ...stage }).play();
}

async function kindsFound(stage?: Partial<Stage>): Promise<ViolationKind[]> {
  return [...new Set(checkHistory(await historyOf(stage)).map(({ kind }) => kind))].sort();
}

/** Plays the story while one service is replaced. */
async function withReplaced<T>(name: Replaceable, plant: Plant, play: () => Promise<T>): Promise<T> {
  await running.get(name)?.stop();
  const planted = await REPLACEABLE[name](plant);
  try {
    return await play();
  } finally {
    await planted.stop();
    running.set(name, await REPLACEABLE[name]());
  }
}

test('with nothing planted there is nothing to find', async () => {
  const history = await historyOf();
  expect(describeViolations(checkHistory(history))).toBe('');
  // Everything that a fault is to show in has happened.
  const { sends, steps } = history.clients[1] as ClientHistory;
  const welcomes = steps.flatMap((step) => (step.kind === 'frame' && step.frame.op === 'welcome' ? [step.frame] : []));
  expect(welcomes.map(({ recovered }) => recovered)).toEqual([true, true]);
  expect(sends.length).toBeGreaterThan(1);
  const outcomes = history.clients.flatMap((client) => client.sends.map(({ outcome }) => outcome.kind));
  expect(outcomes.filter((kind) => kind === 'refused')).toHaveLength(1);
  expect(history.rooms[0]).toMatchObject({ memberCount: 3, view: { maxMembers: 3 } });
  expect(history.keys?.length).toBeGreaterThan(10);
});

describe('finds, in the write side,', () => {
  const faults: [string, 'sends' | 'moves', () => Plant, ViolationKind][] = [
    ['a membership fence that lies', 'sends', () => unfencedSends, 'without-membership'],
    ['a seat fence that lies', 'moves', () => unfencedSeats, 'over-capacity'],
    ['a key that ignores the room', 'sends', () => keysOfAllRooms, 'lost'],
    ['an id that is dropped, where an answer is lost', 'sends', droppedIds, 'stored-twice'],
    ['an acknowledgement before the append', 'sends', () => answersFirst, 'lost'],
  ];

  test.each(faults)('%s', async (_, service, plant, kind) => {
    expect(await withReplaced(service, plant(), () => kindsFound())).toContain(kind);
  });
});

describe('finds, in live delivery,', () => {
  const faults: [string, Plant, ViolationKind][] = [
    ['a message that is dropped, and nothing that sees it', dropsLive, 'missing'],
    ['messages that are repeated', repeats, 'repeat'],
    ['messages that change places', reorders, 'hole'],
    ['a room that goes on for who has left', leaks, 'outside-membership'],
    ['a cursor that runs ahead', cursorsAhead, 'cursor-ahead'],
  ];

  test.each(faults)('%s', async (_, plant, kind) => {
    const planted = await world.gateway(plant);
    expect(await kindsFound({ socket: planted.socket, backAt: planted.socket })).toContain(kind);
    await planted.stop();
  });

  const resumes: [string, Plant, ViolationKind][] = [
    ['a resume that is off by one', resumesLate, 'not-recovered'],
    ['a resume that says it is recovered and is not', recoversNothing, 'not-recovered'],
  ];

  test.each(resumes)('%s', async (_, plant, kind) => {
    const planted = await world.gateway(plant);
    expect(await kindsFound({ backAt: planted.socket })).toContain(kind);
    await planted.stop();
  });
});

describe('finds, in the read side,', () => {
  const faults: [string, () => Armed, ViolationKind][] = [
    ['a checkpoint that is written before its rows', checkpointFirst, 'view-messages'],
    ['a batch that is applied twice', appliedTwice, 'view-messages'],
  ];

  test.each(faults)('%s', async (_, made, kind) => {
    const plant = made();
    expect(await withReplaced('projection', plant, () => kindsFound({ atMark: () => plant.arm() }))).toContain(kind);
  });

  test('an unread count that is off', async () => {
    const planted = await world.api(unreadOff);
    expect(await kindsFound({ http: planted.url })).toEqual(['view-inbox']);
    await planted.stop();
  });
});
