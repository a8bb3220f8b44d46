/** Carries out a schedule, round by round: strikes, heals, and then everybody has to go on. */
import { recordedNow } from '#testing';
import { pause, type Arena } from './arena.js';
import { FAULTS, type FaultName } from './faults.js';
import { describeBlow, type Blow, type Round } from './schedule.js';

/** What a round did to the clients. */
export interface RoundReport {
  readonly blows: readonly {
    readonly fault: FaultName;
    readonly what: string;
    readonly at: number;
    readonly tookMs: number;
  }[];
  /** Since everything was healed, until everybody was told anew that something they had sent is stored, ms. */
  readonly wentOnMs: number;
  /** The longest that anybody was without an acknowledgement, ms. */
  readonly outageMs: number;
}

/** On a machine that has much else to do, too. */
const GOES_ON_WITHIN_MS = 240_000;

export async function carryOut(arena: Arena, round: Round, say: (text: string) => void): Promise<RoundReport> {
  const since = recordedNow();
  const breakAndHeal = async (): Promise<RoundReport['blows']> => {
    const struck = await Promise.all(round.map((blow) => strike(arena, blow, say)));
    await arena.healthy();
    return struck;
  };
  const losesCopies = round.some(({ fault }) => FAULTS[fault].losesCopies);
  const blows = await (losesCopies ? arena.crowd.whileCopiesAreLost(breakAndHeal) : breakAndHeal());
  const { tookMs: wentOnMs, last } = await arena.crowd.progress(
    `after ${round.map(({ fault }) => fault).join(' and ')}`,
    GOES_ON_WITHIN_MS,
  );
  const outageMs = arena.crowd.longestSilence(since, recordedNow());
  say(`everybody goes on ${seconds(wentOnMs)} after that; longest outage ${seconds(outageMs)}; last was ${last}`);
  return { blows, wentOnMs, outageMs };
}

async function strike(arena: Arena, blow: Blow, say: (text: string) => void): Promise<RoundReport['blows'][number]> {
  await pause(blow.afterMs);
  const at = recordedNow();
  const what = describeBlow(blow);
  say(what);
  try {
    const heal = await FAULTS[blow.fault].inflict(arena, blow);
    await pause(blow.holdMs);
    await heal();
  } catch (error) {
    throw new Error(`${what}: ${String(error)}`, { cause: error });
  }
  say(`${blow.fault} is over`);
  return { fault: blow.fault, what, at, tookMs: recordedNow() - at };
}

const seconds = (ms: number): string => `${(ms / 1_000).toFixed(1)} s`;
