/** What holds whatever several users do, in whatever order: sequences of commands, folded as the log would hold them. */
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { channelRoomId, chatEvent, COMMANDS, DomainError, EVENT_VERSION, type CommandName } from '#contract';
import { decideOn, type Asked } from '#testing';
import { evolve, initialState, type State } from './state.js';
import type { Decision, StateRef } from './decision.js';
import { RULES } from './rules.js';

const USERS = ['ann', 'bob', 'cyd', 'dan'];
const ROOM = 'den';
const CHANNEL_USERS = ['ann', 'bob'];

type Step = { [N in CommandName]: { readonly name: N; readonly asked: Asked<N> } }[CommandName];

const user = fc.constantFrom(...USERS);
const flag = fc.option(fc.boolean(), { nil: undefined });
const compact = <T extends object>(value: T): T =>
  Object.fromEntries(Object.entries(value).filter(([, field]) => field !== undefined)) as T;

/** A step on the room, with the body as its handler would have it. */
const onRoom = (name: CommandName, fields: Record<string, fc.Arbitrary<unknown>> = {}): fc.Arbitrary<Step> =>
  fc.record({ by: user, createMissing: fc.boolean(), body: fc.record(fields) }).map(({ by, createMissing, body }) => {
    const parsed = COMMANDS[name].schema.parse(compact({ roomId: ROOM, ...body }));
    return { name, asked: { by, createMissing, roomId: ROOM, body: parsed } } as Step;
  });

const role = fc.option(fc.constantFrom('owner', 'moderator', 'member'), { nil: undefined });
const limit = fc.integer({ min: 1, max: 4 });
const weighted = (weight: number, arbitrary: fc.Arbitrary<Step>) => ({ weight, arbitrary });
// Archiving ends most of what can happen, so it is rare.
const step: fc.Arbitrary<Step> = fc.oneof(
  weighted(5, onRoom('CreateRoom', { name: fc.constant('Den'), isPrivate: fc.boolean(), maxMembers: limit })),
  weighted(30, onRoom('JoinRoom')),
  weighted(15, onRoom('LeaveRoom')),
  weighted(15, onRoom('InviteMember', { userId: user })),
  weighted(30, onRoom('ChangeMember', { userId: user, role, muted: flag, banned: flag })),
  weighted(10, onRoom('RemoveMember', { userId: user })),
  weighted(30, onRoom('SendMessage', { content: fc.constant('hello') })),
  weighted(8, onRoom('ChangeRoom', { maxMembers: fc.option(limit, { nil: undefined }), isPrivate: flag })),
  weighted(1, onRoom('ArchiveRoom')),
);

interface Run {
  readonly state: State;
  readonly decisions: {
    readonly step: Step;
    readonly before: State;
    readonly after: State;
    readonly decision: Decision;
  }[];
}

function run(steps: readonly Step[]): Run {
  let state = initialState();
  const decisions: Run['decisions'] = [];
  for (const each of steps) {
    const decision = decideOn(each.name, each.asked as Asked<CommandName>, state);
    if (decision instanceof DomainError) continue;
    const before = state;
    for (const { event } of decision) state = evolve(state, event);
    decisions.push({ step: each, before, after: state, decision });
  }
  return { state, decisions };
}

const histories = fc.array(step, { minLength: 1, maxLength: 80, size: 'max' });
const holds = (property: (run: Run) => void): void =>
  fc.assert(
    fc.property(histories, (steps) => property(run(steps))),
    { numRuns: 400 },
  );

/** The part of a state that a rule asks for, until it asks for nothing new. */
function readBy({ name, asked: { by, roomId = '', body } }: Step, state: State): State {
  const rule = RULES[name] as { reads(command: object, state: State): readonly StateRef[] };
  let seen = initialState();
  for (let known = -1; ;) {
    const refs = rule.reads({ actor: { userId: by }, roomId, body }, seen);
    if (refs.length === known) return seen;
    known = refs.length;
    const has = (kind: StateRef['kind']): boolean => refs.some((ref) => ref.kind === kind);
    const users = new Set(refs.map((ref) => (ref.kind === 'member' ? ref.userId : '')));
    seen = {
      ...initialState(),
      room: has('config') ? state.room : undefined,
      roster: has('roster') ? state.roster : undefined,
      members: new Map([...state.members].filter(([userId]) => users.has(userId))),
    };
  }
}

const seated = ({ members }: State) => [...members.values()].filter(({ standing }) => standing === 'member');

describe('whatever several users do to a room', () => {
  test('the histories reach what they are to test', () => {
    const types = new Set<string>();
    let heirs = 0;
    fc.assert(
      fc.property(histories, (steps) => {
        for (const { decision } of run(steps).decisions) {
          for (const { event } of decision) types.add(event.type);
          if (decision.length === 3 && decision[2]?.event.type === 'MemberLeft') heirs++;
        }
      }),
      { numRuns: 400 },
    );
    for (const type of ['RoomArchived', 'MemberRemoved', 'MemberInvited', 'MemberChanged', 'MessageSent'])
      expect(types).toContain(type);
    expect(heirs).toBeGreaterThan(0);
  });

  test('taken seats are the members, and never more than the limit', () => {
    holds(({ decisions }) => {
      for (const { after } of decisions) {
        expect(after.roster?.members).toBe(seated(after).length);
        expect(after.roster!.members).toBeLessThanOrEqual(after.roster!.limit);
        expect(after.roster?.limit).toBe(after.room?.maxMembers);
      }
    });
  });

  test('the roster names the owner and moderators that the memberships say', () => {
    holds(({ decisions }) => {
      for (const { after } of decisions) {
        const inRole = (wanted: string) =>
          seated(after)
            .filter((each) => each.role === wanted)
            .map(({ userId }) => userId);
        expect(inRole('owner')).toEqual(after.roster?.owner === undefined ? [] : [after.roster.owner]);
        expect([...after.roster!.moderators].sort()).toEqual(inRole('moderator').sort());
      }
    });
  });

  test('who is banned, or out, has no seat and no rank', () => {
    holds(({ state }) => {
      for (const each of state.members.values()) {
        if (each.standing !== 'member') expect(each.role).toBe('member');
        if (each.banned) expect(each.standing).not.toBe('member');
      }
    });
  });

  test('every message stands after a valid membership of its sender', () => {
    holds(({ decisions }) => {
      for (const { step: sent, before, decision } of decisions) {
        if (!decision.some(({ event }) => event.type === 'MessageSent')) continue;
        const sender = before.members.get(sent.asked.by as string);
        expect(sender).toMatchObject({ standing: 'member', muted: false, banned: false });
        expect(before.room?.archived).toBe(false);
      }
    });
  });

  test("members and config change only under the roster fence, with the command's own event last", () => {
    holds(({ decisions }) => {
      for (const { step: made, decision } of decisions) {
        if (decision.length === 0) continue;
        const rule = RULES[made.name] as { home(command: object): StateRef };
        const { by, roomId, body } = made.asked;
        expect(decision[decision.length - 1]?.to).toEqual(rule.home({ actor: { userId: by }, roomId, body }));
        const guarded = decision.some(({ to }) => to.kind === 'member' || to.kind === 'config');
        const roster = decision.find(({ to }) => to.kind === 'roster');
        if (guarded) expect(roster?.fence).toEqual(roster?.to);
      }
    });
  });

  test('a rule decides on nothing but what it reads', () => {
    holds(({ decisions }) => {
      for (const { step: made, before, decision } of decisions)
        expect(decideOn(made.name, made.asked as Asked<CommandName>, readBy(made, before))).toEqual(decision);
    });
  });

  test('a fence never points at a subject that an earlier event of the same decision has moved', () => {
    holds(({ decisions }) => {
      for (const { decision } of decisions)
        decision.forEach(({ fence }, i) => {
          if (fence) expect(decision.slice(0, i).map(({ to }) => to)).not.toContainEqual(fence);
        });
    });
  });

  test('deciding is deterministic, and changes nothing it is given', () => {
    fc.assert(
      fc.property(histories, (steps) => {
        const { state } = run(steps);
        const before = structuredClone(state);
        for (const each of steps) {
          const asked = each.asked as Asked<CommandName>;
          expect(decideOn(each.name, asked, state)).toEqual(decideOn(each.name, asked, state));
        }
        expect(state).toEqual(before);
      }),
      { numRuns: 100 },
    );
  });

  test('every decided event is one that the log can hold, and reading it back loses nothing', () => {
    holds(({ decisions }) => {
      for (const { decision } of decisions)
        for (const { event } of decision) {
          const entry = { v: EVENT_VERSION, actor: 'ann', ...event };
          expect(chatEvent.parse(JSON.parse(JSON.stringify(entry)))).toEqual(entry);
        }
    });
  });

  test('the last event of each subject says as much as all of them', () => {
    holds(({ state, decisions }) => {
      const last = new Map<string, Decision[number]>();
      for (const { decision } of decisions) for (const each of decision) last.set(JSON.stringify(each.to), each);
      const folded = [...last.values()].reduce((before, { event }) => evolve(before, event), initialState());
      expect(folded).toEqual(state);
    });
  });
});

describe('whatever participants do to their channel', () => {
  test('its members stay its participants', () => {
    const roomId = channelRoomId(CHANNEL_USERS);
    const inChannel = step.map((each): Step => {
      const body =
        each.name === 'SendMessage'
          ? { participants: CHANNEL_USERS, content: 'hi', type: 'text' }
          : { ...each.asked.body, roomId };
      return { name: each.name, asked: { ...each.asked, roomId, body } } as Step;
    });
    fc.assert(
      fc.property(fc.array(inChannel, { maxLength: 40 }), (steps) => {
        const { state, decisions } = run(steps);
        if (decisions.every(({ decision }) => decision.length === 0)) return;
        expect(state.room?.participants).toEqual(CHANNEL_USERS);
        expect(seated(state).map(({ userId }) => userId)).toEqual(CHANNEL_USERS);
        expect(state.roster).toEqual({ members: 2, limit: 2, moderators: [] });
      }),
      { numRuns: 300 },
    );
  });
});
