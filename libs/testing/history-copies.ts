/**
 * When live copies may have been lost, and what that excuses. Delivery does not wait for what a copy may have told (design.md, section
 * 2; ADR 0008): where the copy of a user's leaving was lost, the room goes on for them until their gateway has it from a notice, or
 * from the log itself. A history does not say through which gateway a client came, nor what notices that one had; so the bound is
 * the longest that a gateway can take by its own constants, from the moment when everything was whole again.
 */
import { LOG_LIMITS } from '#event-log';

/** From when a broker, a way to one or a gateway was broken until it was whole again, by `recordedNow`. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** What was stored and was not yet passed on when it broke. */
const ON_ITS_WAY_MS = 1_000;
/**
 * A connection that is open and dead is given up after two pings (libs/service/nats.ts: 10 s each), and one attempt at another takes
 * 2 s at most, with 0.3 s before it. What is published until then does not reach that gateway.
 */
const CONNECTED_AGAIN_MS = 2 * 10_000 + 2_000 + 300;
/**
 * With notices it knows `tailsMs` after that; without any it asks the log itself after a silence of 5 s, looked at every second
 * (apps/gateway/feed: SILENCE_MS, SWEEP_MS). A read that meets a node which is away is tried once more.
 */
const TOLD_MS = LOG_LIMITS.tailsMs + 5_000 + 1_000 + 2 * LOG_LIMITS.readTryMs;

/** Whether the copy of what was stored then may have been lost on its way to a gateway. */
export const copyMayBeLost = (spans: readonly Span[], storedAt: number): boolean =>
  spans.some((span) => isWithin(span, storedAt));

/** Whether a gateway may still not have known of it at that time. */
export const mayBeUnknown = (spans: readonly Span[], storedAt: number, at: number): boolean =>
  spans.some((span) => isWithin(span, storedAt) && at <= span.to + CONNECTED_AGAIN_MS + TOLD_MS);

const isWithin = ({ from, to }: Span, storedAt: number): boolean =>
  from - ON_ITS_WAY_MS <= storedAt && storedAt <= to + CONNECTED_AGAIN_MS;
