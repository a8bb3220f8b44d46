/** Where the crowd talks. */
import { channelRoomId } from '#contract';

export interface RoomPlan {
  readonly room: string;
  /** Seats; without a limit when it is not said. */
  readonly maxMembers?: number;
  /** Only who is invited may come in. */
  readonly isPrivate?: boolean;
}

const NAMES = ['hall', 'kitchen', 'garden', 'library', 'cellar'] as const;
const MORE_NAMES = ['attic', 'yard', 'porch', 'stable', 'vault'] as const;
/** Smaller than the number of people who want in. */
const CELLAR_SEATS = 6;
const CHANNEL_OF = 3;

/** Rooms of which each has about as many people in it, however many there are. */
export function plannedRooms(prefix: string, people: number): RoomPlan[] {
  const names = people > 2 * CELLAR_SEATS * CHANNEL_OF ? [...NAMES, ...MORE_NAMES] : NAMES;
  return names.map((name) => ({
    room: `${prefix}${name}`,
    ...(name === 'cellar' && { maxMembers: CELLAR_SEATS }),
    ...(name === 'vault' && { isPrivate: true }),
  }));
}

export interface Channel {
  readonly room: string;
  readonly participants: readonly string[];
}

/** Every so manieth group of neighbours has a channel of its own. */
export function plannedChannels(users: readonly string[]): Channel[] {
  const groups = users.flatMap((_, at) => (at % (2 * CHANNEL_OF) === 0 ? [users.slice(at, at + CHANNEL_OF)] : []));
  return groups
    .filter((group) => group.length > 1)
    .map((participants) => ({ room: channelRoomId(participants), participants }));
}
