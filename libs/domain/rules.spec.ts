/** What a rule says of its command beside deciding it: where its own event stands, what it reads, where a repeat is looked for, what its result names. */
import { expect, test } from '@jest/globals';
import { channelRoomId, type CommandBody, type CommandName } from '#contract';
import { roomWith } from '#testing';
import type { Command, Rule, StateRef } from './decision.js';
import { RULES } from './rules.js';
import { evolve, initialState, type State } from './state.js';

const ROOM = 'den';
const [config, roster, timeline] = (['config', 'roster', 'timeline'] as const).map((kind): StateRef => ({
  kind,
  roomId: ROOM,
})) as [StateRef, StateRef, StateRef];
const member = (userId: string): StateRef => ({ kind: 'member', roomId: ROOM, userId });
const ann = member('ann');
const bob = member('bob');
const mo = member('mo');
const den = roomWith({ ann: 'owner', mo: 'moderator', max: 'moderator', bob: 'member' }).reduce(
  (state, event) => evolve(state, event),
  initialState(),
);

interface Says {
  readonly standsOn: 'cached' | 'fresh';
  readonly home: StateRef;
  readonly reads: readonly StateRef[];
  readonly batchTrace: StateRef | undefined;
  readonly resultId: string | undefined;
}

function says<N extends CommandName>(name: N, body: object, by = 'ann', roomId = ROOM, state: State = den): Says {
  const rule: Rule<N> = RULES[name];
  const command: Command<N> = { actor: { userId: by }, roomId, body: body as CommandBody<N>, createMissing: false };
  return {
    standsOn: rule.standsOn,
    home: rule.home(command),
    reads: rule.reads(command, state),
    batchTrace: rule.batchTrace?.(command),
    resultId: rule.resultId?.(command),
  };
}

test('a message stands on its sender’s membership; the first of a channel in the batch that makes the channel', () => {
  const said = { standsOn: 'cached', home: timeline, reads: [config, ann], batchTrace: undefined, resultId: undefined };
  expect(says('SendMessage', {})).toEqual(said);
  const roomId = channelRoomId(['ann', 'bob']);
  expect(says('SendMessage', {}, 'ann', roomId).batchTrace).toEqual({ kind: 'config', roomId });
});

test.each(['CreateRoom', 'JoinRoom'] as const)('%s writes the caller’s membership', (name) => {
  const reads = [roster, config, bob];
  expect(says(name, {}, 'bob')).toEqual({ standsOn: 'fresh', home: bob, reads, batchTrace: bob, resultId: ROOM });
});

test.each(['ChangeRoom', 'ArchiveRoom'] as const)('%s writes the config', (name) => {
  const reads = [roster, config, ann];
  expect(says(name, {})).toEqual({ standsOn: 'fresh', home: config, reads, batchTrace: config, resultId: ROOM });
});

test.each(['InviteMember', 'ChangeMember', 'RemoveMember'] as const)('%s writes the other’s membership', (name) => {
  const reads = [roster, config, ann, bob];
  expect(says(name, { userId: 'bob' })).toEqual({
    standsOn: 'fresh',
    home: bob,
    reads,
    batchTrace: bob,
    resultId: 'bob',
  });
});

test('who leaves writes their membership, and an owner that of the heir, the moderator for longest', () => {
  const said = { standsOn: 'fresh', home: ann, batchTrace: ann, resultId: ROOM };
  expect(says('LeaveRoom', {})).toEqual({ ...said, reads: [roster, config, ann, mo] });
  expect(says('LeaveRoom', {}, 'bob').reads).toEqual([roster, config, bob]);
  expect(says('RemoveMember', { userId: 'ann' }).reads).toEqual([roster, config, ann, ann, mo]);
});

test('there is no heir before the roster is known, and none in a room without moderators', () => {
  expect(says('LeaveRoom', {}, 'ann', ROOM, initialState()).reads).toEqual([roster, config, ann]);
  const alone = roomWith({ ann: 'owner' }).reduce((state, event) => evolve(state, event), initialState());
  expect(says('LeaveRoom', {}, 'ann', ROOM, alone).reads).toEqual([roster, config, ann]);
});

test.each([
  ['SetStatus', 'status'],
  ['ChangeProfile', 'profile'],
] as const)('%s is about a user alone', (name, kind) => {
  const own: StateRef = { kind, userId: 'ann' };
  expect(says(name, {}, 'ann', '')).toEqual({
    standsOn: 'cached',
    home: own,
    reads: [own],
    batchTrace: undefined,
    resultId: 'ann',
  });
});

test('a message changes no state', () => {
  expect(evolve(den, { type: 'MessageSent', data: { content: 'hello', type: 'text' } })).toBe(den);
});

test('a room has the broker’s time of its first entry, which later ones carry on', () => {
  const [created, ...rest] = roomWith({ ann: 'owner' });
  const made = evolve(initialState(), created!, 1_000);
  expect(made.room?.createdAt).toBe(1_000);
  expect(evolve(initialState(), { type: 'RoomCreated', data: { room: made.room! } }, 2_000).room?.createdAt).toBe(
    1_000,
  );
  expect(evolve(initialState(), created!).room).not.toHaveProperty('createdAt');
  expect(rest.reduce((state, event) => evolve(state, event, 3_000), made).room).toEqual(made.room);
});
