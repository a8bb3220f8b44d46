/** What the feed asks the read models. Two implementations: PostgreSQL (`database-views.ts`) and, for specs, a fold of the memory twin. */
import type { UserRoom } from '#read-models';

export type { UserRoom };

export interface UserRooms {
  readonly rooms: readonly UserRoom[];
  /** By partition: up to where the views had come when they were read, all of one snapshot. */
  readonly checkpoints: readonly number[];
  /** Of the log that they were built from; undefined while they are empty. */
  readonly epoch: string | undefined;
}

/** A message's place: its sequence, and how many messages the room had with it. */
export interface Anchor {
  readonly seq: number;
  readonly ordinal: number;
}

export interface Period {
  readonly from: number;
  readonly to: number | undefined;
}

export interface FeedViews {
  roomsOfUser(userId: string): Promise<UserRooms>;
  /** The last message of a room at or before a sequence, as far as the views have come; undefined when they know of none. */
  anchor(roomId: string, seq: number): Promise<Anchor | undefined>;
  /** Both ends belong to the period: the joining event and the one that ended it. */
  periods(roomId: string, userId: string): Promise<readonly Period[]>;
}
