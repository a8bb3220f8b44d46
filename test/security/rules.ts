/**
 * Who may do what, by rule: what kind of thing it is about, who asks, and whether the room is public or private. The matrix
 * (`authorisation.e2e.spec.ts`) holds every route, frame and RPC against this; `docs/AUTHORISATION.md` is made of it.
 */
import { isRefusalCode, type RefusalCode } from '#contract';

/** What somebody is to a room. An outsider has an account and is not in the room; of a stranger nobody has ever heard. */
export const CALLERS = ['owner', 'moderator', 'member', 'muted', 'banned', 'outsider', 'stranger'] as const;
export type Caller = (typeof CALLERS)[number];

/** Those for whom a private room must not exist. */
export const NOT_INSIDE: readonly Caller[] = ['banned', 'outsider', 'stranger'];

export const ROOM_KINDS = ['public', 'private'] as const;
export type RoomKind = (typeof ROOM_KINDS)[number];

export type Verdict = 'ok' | RefusalCode;
export type Row = Readonly<Record<Caller, Verdict>>;

interface Rule {
  readonly about: string;
  /** Whether the room decides; else the answer is the same for everybody with a good token, or for everybody. */
  readonly rooms?: Readonly<Record<RoomKind, Row>>;
}

/** In the order of `CALLERS`. */
function row(verdicts: string): Row {
  const given = verdicts.split(' ');
  return Object.fromEntries(CALLERS.map((caller, i) => [caller, verdictOf(given[i])])) as Row;
}

function verdictOf(text: string | undefined): Verdict {
  if (text === 'ok' || isRefusalCode(text)) return text;
  throw new Error(`${text} is no verdict`);
}

const HIDDEN = 'room_not_found room_not_found room_not_found';
const OUTSIDE = 'not_member not_member not_member';

export const RULES = {
  open: { about: 'asks for no sign-in' },
  signedIn: { about: 'the caller’s own, or what every user may see and make' },
  seeRoom: {
    about: 'that a room exists, and who is in it',
    rooms: { public: row('ok ok ok ok ok ok ok'), private: row(`ok ok ok ok ${HIDDEN}`) },
  },
  readRoom: {
    about: 'what was said in a room, and marks on it',
    rooms: { public: row(`ok ok ok ok ${OUTSIDE}`), private: row(`ok ok ok ok ${HIDDEN}`) },
  },
  send: {
    about: 'speaking in a room',
    rooms: { public: row(`ok ok ok muted ${OUTSIDE}`), private: row(`ok ok ok muted ${HIDDEN}`) },
  },
  type: {
    about: 'saying that one is typing; whether there is a room makes no difference to who is not in it',
    rooms: { public: row(`ok ok ok ok ${OUTSIDE}`), private: row(`ok ok ok ok ${OUTSIDE}`) },
  },
  share: {
    about: 'putting a file into a room',
    rooms: { public: row(`ok ok ok ok ${OUTSIDE}`), private: row(`ok ok ok ok ${HIDDEN}`) },
  },
  join: {
    about: 'coming in',
    rooms: { public: row('ok ok ok ok banned ok ok'), private: row(`ok ok ok ok ${HIDDEN}`) },
  },
  leave: {
    about: 'leaving; as none who is in it, nothing changes',
    rooms: { public: row('ok ok ok ok ok ok ok'), private: row(`ok ok ok ok ${HIDDEN}`) },
  },
  leaveOnStream: {
    about: 'leaving by a stream, which says so when nothing changes',
    rooms: { public: row(`ok ok ok ok ${OUTSIDE}`), private: row(`ok ok ok ok ${HIDDEN}`) },
  },
  changeRoom: {
    about: 'changing a room',
    rooms: { public: row(`ok ok forbidden forbidden ${OUTSIDE}`), private: row(`ok ok forbidden forbidden ${HIDDEN}`) },
  },
  archiveRoom: {
    about: 'archiving a room',
    rooms: {
      public: row(`ok forbidden forbidden forbidden ${OUTSIDE}`),
      private: row(`ok forbidden forbidden forbidden ${HIDDEN}`),
    },
  },
  invite: {
    about: 'inviting somebody: to a public room any member may',
    rooms: { public: row(`ok ok ok ok ${OUTSIDE}`), private: row(`ok ok forbidden forbidden ${HIDDEN}`) },
  },
  moderate: {
    about: 'changing or removing a plain member',
    rooms: { public: row(`ok ok forbidden forbidden ${OUTSIDE}`), private: row(`ok ok forbidden forbidden ${HIDDEN}`) },
  },
} as const satisfies Record<string, Rule>;

export type RuleName = keyof typeof RULES;

export function ruleOf(name: RuleName): Rule {
  return RULES[name];
}

/** What a rule says; a rule that is not about rooms lets in whoever has a good token. */
export function expected(name: RuleName, caller: Caller, kind: RoomKind): Verdict {
  return ruleOf(name).rooms?.[kind][caller] ?? 'ok';
}
