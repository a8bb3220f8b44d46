/**
 * The state that decisions stand on: the part of one room, or of one user, that somebody has loaded. State events carry
 * whole states, so folding the last event of each subject gives the same as folding all of them.
 */
import type { ChatEvent, EventOf, MemberState, RoomState, RosterState } from '#contract';

export interface State {
  readonly room: RoomState | undefined;
  readonly roster: RosterState | undefined;
  /** By user id; who is absent was not loaded or has never been near the room. */
  readonly members: ReadonlyMap<string, MemberState>;
  readonly status: EventOf<'StatusChanged'>['data'] | undefined;
  readonly profile: EventOf<'ProfileChanged'>['data'] | undefined;
}

/** All that `evolve` looks at: who caused an event, and with which key, changes no state. */
export type Happened = ChatEvent extends infer E ? (E extends ChatEvent ? Pick<E, 'type' | 'data'> : never) : never;

const NOTHING: State = {
  room: undefined,
  roster: undefined,
  members: new Map(),
  status: undefined,
  profile: undefined,
};

export const initialState = (): State => NOTHING;

/** @param at the broker's time of the entry (ms), which is a room's time of creation. */
export function evolve(state: State, event: Happened, at?: number): State {
  switch (event.type) {
    case 'RoomCreated':
      return { ...state, room: createdAt(event.data.room, at) };
    case 'RoomChanged':
    case 'RoomArchived':
      return { ...state, room: event.data.room };
    case 'RosterChanged':
      return { ...state, roster: event.data.roster };
    case 'MemberJoined':
    case 'MemberLeft':
    case 'MemberRemoved':
    case 'MemberInvited':
    case 'MemberChanged':
      return { ...state, members: new Map(state.members).set(event.data.member.userId, event.data.member) };
    case 'MessageSent':
      return state;
    case 'StatusChanged':
      return { ...state, status: event.data };
    case 'ProfileChanged':
      return { ...state, profile: event.data };
  }
}

function createdAt(room: RoomState, at: number | undefined): RoomState {
  return room.createdAt !== undefined || at === undefined ? room : { ...room, createdAt: at };
}
