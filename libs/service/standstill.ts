/**
 * Whether this process has just stood still: stopped by a signal, a debugger or the machine it runs on, or busy with one thing. What it
 * reads then has waited in the kernel, nobody knows how long, and whoever sent it may have asked elsewhere and been answered.
 *
 * It is noticed by a timer that came too late, or, where input is read before that, by who asks. It is over when the timer has come several times:
 * between two of them everything that waits is read once.
 */
import { performance } from 'node:perf_hooks';

const BEAT_MS = 250;
/** A client that asks elsewhere has waited for longer. */
export const STOOD_STILL_MS = 2_000;
/** A connection is taken, its request read, its token verified; and what is large is read in several pieces. */
export const BEATS_TO_CATCH_UP = 4;

export class Standstill {
  private timer: NodeJS.Timeout | undefined;
  private beatAtMs = Number.POSITIVE_INFINITY;
  private beatsLeft = 0;

  constructor(private readonly nowMs: () => number = () => performance.now()) {}

  /** Before that nobody can have sent anything: a process that starts may be busy for long. */
  watch(): void {
    this.beat();
    this.timer ??= setInterval(() => this.beat(), BEAT_MS).unref();
  }

  stop(): void {
    clearInterval(this.timer);
    this.timer = undefined;
    this.beatAtMs = Number.POSITIVE_INFINITY;
    this.beatsLeft = 0;
  }

  get isCatchingUp(): boolean {
    this.notice();
    return this.beatsLeft > 0;
  }

  /** One turn of the event loop that began with its timers. */
  beat(): void {
    this.notice();
    this.beatAtMs = this.nowMs();
    if (this.beatsLeft > 0) this.beatsLeft -= 1;
  }

  private notice(): void {
    const nowMs = this.nowMs();
    if (nowMs - this.beatAtMs < STOOD_STILL_MS) return;
    this.beatAtMs = nowMs;
    this.beatsLeft = BEATS_TO_CATCH_UP;
  }
}
