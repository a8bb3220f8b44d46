/**
 * When a request was made, told by its edge and judged by whoever answers it. The last token of the reply subject is
 * `<n>-<asked at>`, or `<n>-<asked at>-<waited>` where the same command was asked before, `waited` ms earlier; all in base 36.
 *
 * The clocks need not agree. An edge's stamps come from a clock that never jumps, and so does the time of their arrival here. The smallest
 * difference of the two that an edge's requests have had lately stands for one that came at once; whatever is above it, a request has
 * spent on its way: in a process that was frozen, a connection that was broken, a network that held it back. What cannot be known is whether
 * the first request of an edge was late; it counts as just made.
 */
import { performance } from 'node:perf_hooks';
import { NatsContext } from '@nestjs/microservices';

/** How long an edge waits for the answer to one attempt of a command; a broken broker elects a leader within 4 to 8 s. */
export const ATTEMPT_MS = 5_000;
/**
 * What is older is not decided any more, because its edge may have asked again, and may have been refused, before the decision stands. The
 * rest of an attempt is for the answer on its way, and for what the age is judged too low by.
 */
export const DECIDED_WITHIN_MS = ATTEMPT_MS - 2_000;

/** Edges whose requests a process has seen; one of them is a process of `api` or `gateway`. */
export const EDGES_MAX = 1_024;
/**
 * The smallest difference is that of one to two windows. Shorter than an edge repeats a command for: one whose clock stood still, as that
 * of a virtual machine does, is believed again before its clients hear of it.
 */
export const WINDOW_MS = 10_000;
/** Two clocks drift apart by less; it matters where an edge says nothing for hours. */
const DRIFT = 0.0002;

export interface RequestTimes {
  /** This attempt, by this process's `performance.now()`. */
  readonly askedAtMs: number;
  /** The first attempt of the same command at this edge. */
  readonly firstAskedAtMs: number;
}

export const askedJustNow = (): RequestTimes => {
  const nowMs = performance.now();
  return { askedAtMs: nowMs, firstAskedAtMs: nowMs };
};

/** What a handler is told of a request beside its body. */
export class RequestContext extends NatsContext implements RequestTimes {
  readonly askedAtMs: number;
  readonly firstAskedAtMs: number;

  constructor(args: ConstructorParameters<typeof NatsContext>[0], { askedAtMs, firstAskedAtMs }: RequestTimes) {
    super(args);
    this.askedAtMs = askedAtMs;
    this.firstAskedAtMs = firstAskedAtMs;
  }
}

/** Writes the stamps of an edge; those of one millisecond are one text. */
export class Stamps {
  private atMs = Number.NaN;
  private text = '';

  /** @param firstAskedAtMs both by `performance.now()` */
  of(askedAtMs: number, firstAskedAtMs: number): string {
    // Near the wall clock, for whoever reads a subject; nothing goes by that.
    const atMs = Math.floor(performance.timeOrigin + askedAtMs);
    if (atMs !== this.atMs) [this.atMs, this.text] = [atMs, atMs.toString(36)];
    const waitedMs = Math.floor(askedAtMs - firstAskedAtMs);
    return waitedMs < 1 ? this.text : `${this.text}-${waitedMs.toString(36)}`;
  }
}

/** The smallest differences of one edge, in the window before this one and in this one. */
interface Differences {
  beforeMs: number;
  nowMs: number;
  sinceMs: number;
}

export class RequestAges {
  private readonly edges = new Map<string, Differences>();

  /** @param nowMs `performance.now()` of its arrival */
  timesOf(reply: string, nowMs = performance.now()): RequestTimes {
    const edgeEnd = reply.lastIndexOf('.') + 1;
    const stampAt = reply.indexOf('-', edgeEnd) + 1;
    const waitedAt = stampAt === 0 ? 0 : reply.indexOf('-', stampAt) + 1;
    const stampMs =
      stampAt === 0 ? Number.NaN : parseInt(reply.slice(stampAt, waitedAt === 0 ? undefined : waitedAt - 1), 36);
    // Somebody else's request: the command line of NATS, for one.
    if (!Number.isFinite(stampMs)) return { askedAtMs: nowMs, firstAskedAtMs: nowMs };
    const askedAtMs = nowMs - this.ageMs(reply.slice(0, edgeEnd), nowMs - stampMs, nowMs);
    const waitedMs = waitedAt === 0 ? 0 : parseInt(reply.slice(waitedAt), 36);
    return { askedAtMs, firstAskedAtMs: Number.isFinite(waitedMs) ? askedAtMs - waitedMs : askedAtMs };
  }

  private ageMs(edge: string, differenceMs: number, nowMs: number): number {
    const seen = this.edges.get(edge);
    if (seen === undefined) {
      this.add(edge, { beforeMs: differenceMs, nowMs: differenceMs, sinceMs: nowMs });
      return 0;
    }
    const forMs = nowMs - seen.sinceMs;
    if (forMs >= WINDOW_MS) {
      seen.beforeMs = seen.nowMs + forMs * DRIFT;
      seen.nowMs = differenceMs;
      seen.sinceMs = nowMs;
    } else if (differenceMs < seen.nowMs) seen.nowMs = differenceMs;
    return differenceMs - Math.min(seen.beforeMs, seen.nowMs);
  }

  /** The one that is known for longest goes: if it is still there, its next request counts as its first. */
  private add(edge: string, differences: Differences): void {
    const [longest] = this.edges.size >= EDGES_MAX ? this.edges.keys() : [];
    if (longest !== undefined) this.edges.delete(longest);
    this.edges.set(edge, differences);
  }
}
