/**
 * What a batch of membership events means for the tables: one row a member, and the periods that begin or end. The standing
 * alone decides: a member is in, everyone else is out. What stood before the batch is for the statements to see, so a change
 * says whether it depends on that; where a batch was cut makes no difference to what comes out.
 */
import type { MemberState } from '#contract';
import { type Batch, eventsOf, type Placed } from '../read-model.js';

type MemberPlaced = Placed<'member'>;

/** A member as the batch leaves it. */
export interface MemberRow {
  readonly roomId: string;
  readonly userId: string;
  readonly seq: number;
  readonly state: MemberState;
  /** The last event in the batch that let the user in. */
  readonly joined: MemberPlaced | undefined;
  /** The user was out just before `joined`, in the batch; otherwise it joined only if it was out before the batch. */
  readonly rejoined: boolean;
}

/** A stay in the room, as far as the batch has it. */
export interface Period {
  readonly roomId: string;
  readonly userId: string;
  readonly from: MemberPlaced;
  readonly to: MemberPlaced | undefined;
}

export interface MemberChanges {
  readonly rows: readonly MemberRow[];
  /** The batch finds the user in: a period begins, unless one is open. */
  readonly maybeBegun: readonly Period[];
  /** The first event that leaves a user out ends the open period, if there is one. */
  readonly ends: readonly Period['from'][];
  /** Periods that begin later in the batch. */
  readonly begun: readonly Period[];
}

export function memberChanges(batch: Batch): MemberChanges {
  const byMember = new Map<string, MemberPlaced[]>();
  for (const placed of eventsOf(batch, 'member')) {
    const key = JSON.stringify([placed.subject.roomId, userOf(placed)]);
    const events = byMember.get(key);
    if (events === undefined) byMember.set(key, [placed]);
    else events.push(placed);
  }
  const histories = [...byMember.values()];
  const periods = histories.map(periodsOf);
  const foundIn = (period: Period, i: number): boolean => period.from === histories[i]?.[0];
  return {
    rows: histories.map((events, i) => rowOf(events, periods[i]?.at(-1))),
    maybeBegun: periods.flatMap((each, i) => each.filter((period) => foundIn(period, i))),
    ends: histories.flatMap((events) => events.find((placed) => !isIn(placed)) ?? []),
    begun: periods.flatMap((each, i) => each.filter((period) => !foundIn(period, i))),
  };
}

export const userOf = ({ event }: MemberPlaced): string => event.data.member.userId;
const isIn = ({ event }: MemberPlaced): boolean => event.data.member.standing === 'member';

function rowOf(events: readonly MemberPlaced[], stay: Period | undefined): MemberRow {
  const last = events.at(-1) as MemberPlaced;
  return {
    roomId: last.subject.roomId,
    userId: userOf(last),
    seq: last.seq,
    state: last.event.data.member,
    joined: stay?.from,
    rejoined: stay !== undefined && stay.from !== events[0],
  };
}

function periodsOf(events: readonly MemberPlaced[]): Period[] {
  const periods: Period[] = [];
  let from: MemberPlaced | undefined;
  const close = (to: MemberPlaced | undefined): void => {
    if (from === undefined) return;
    periods.push({ roomId: from.subject.roomId, userId: userOf(from), from, to });
    from = undefined;
  };
  for (const placed of events) {
    if (isIn(placed)) from ??= placed;
    else close(placed);
  }
  close(undefined);
  return periods;
}
