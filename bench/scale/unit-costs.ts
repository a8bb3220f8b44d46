/**
 * What one of each costs on a machine of two virtual cores. The capacity model multiplies these and nothing else. They come from
 * `results.json`, which `npm run bench` writes; what was not measured yet is an estimate, and says so. `npm run simulate -- --write`
 * puts them into docs/SCALE.md, each with where it comes from.
 */
import { join } from 'node:path';
import { readSections } from '../results.js';
import type { Section, SubjectResult } from '../section.js';
import { spread } from '../statistics.js';

export interface UnitCosts {
  /** Memory of a gateway for one idle, signed-in connection. */
  readonly connectionBytes: number;
  /** As many as one gateway process is planned with: what the curve by connections has tried. */
  readonly connectionsPerProcess: number;
  /** CPU of a gateway for one delivery that shares its write with no other, the worst case. */
  readonly deliverySeconds: number;
  /** CPU of a gateway to take one live event from the broker, and to encode it once. */
  readonly liveEventSeconds: number;
  /** CPU of a gateway for one subject in a tails notice that is none of its own. */
  readonly noticeEntrySeconds: number;
  /** CPU of a gateway to sign one connection in, and to resume it. */
  readonly openSeconds: number;
  /** CPU of an edge for one send that comes in by a socket. */
  readonly edgeSendSeconds: number;
  /** CPU of a command service for one send. */
  readonly decideSeconds: number;
  /** CPU of a broker node for one fenced append, on each replica. */
  readonly appendSeconds: number;
  /** CPU of a broker node for one live copy to one gateway. */
  readonly copySeconds: number;
  /** Fully synced appends a second that the disk of one node takes, by the number of streams that it leads. */
  readonly syncedAppendsPerSecond: readonly (readonly [streams: number, appends: number])[];
  /** Memory of a broker node for one subject, on every replica. */
  readonly subjectBytes: number;
  /** Memory of every broker node of a cluster for one subscription of a gateway. */
  readonly interestBytes: number;
  /** Memory of a broker node for one remembered id, for two minutes. */
  readonly rememberedIdBytes: number;
  /** CPU of the projection and of PostgreSQL for one event in every read model. */
  readonly projectSeconds: number;
  /** CPU of the api and of PostgreSQL for a page of 50 messages. */
  readonly pageSeconds: number;
  /** On disk: one message in the log, one replica; and in the views with their indexes. */
  readonly loggedBytes: number;
  readonly viewBytes: number;
  /** On the wire: one event to one client, and one subject in a tails notice. */
  readonly frameBytes: number;
  readonly noticeEntryBytes: number;
}

const KILOBYTE = 1_024;
const MICRO = 1e-6;

/** Where a cost is measured: a figure of a benchmark's subject, as the median of its rounds. */
export interface Place {
  readonly benchmark: string;
  readonly subject: string;
  readonly figure: string;
  /** What one of the figure's unit is in the cost's. */
  readonly unit: number;
  /** Another cost that the figure has in it. */
  readonly without?: keyof Costs;
}

/** Those that are one number. */
export type Costs = Omit<UnitCosts, 'syncedAppendsPerSecond'>;

const place = (benchmark: string, subject: string, figure: string, unit: number, without?: keyof Costs): Place => ({
  benchmark,
  subject,
  figure,
  unit,
  ...(without !== undefined && { without }),
});
const gateway = (figure: string, unit: number): Place => place('unit-costs-gateway', 'gateway', figure, unit);
const broker = (figure: string, unit: number): Place => place('unit-costs-broker', 'broker', figure, unit);
const memory = (figure: string): Place => place('unit-costs-broker-memory', 'broker memory', figure, 1);

export const PLACES: Readonly<Record<keyof Costs, Place>> = {
  connectionBytes: place('idle-memory', 'parley', 'KB/connection', KILOBYTE),
  connectionsPerProcess: place('curve-connections', '15,000', 'connections', 1),
  deliverySeconds: gateway('us/delivery', MICRO),
  liveEventSeconds: gateway('us/live event', MICRO),
  noticeEntrySeconds: gateway('us/notice entry', MICRO),
  openSeconds: gateway('us/resume', MICRO),
  edgeSendSeconds: place('unit-costs-sends', 'sends', 'us/send and its event, gateway', MICRO, 'liveEventSeconds'),
  decideSeconds: place('unit-costs-sends', 'sends', 'us/send, commands', MICRO),
  appendSeconds: broker('us/append', MICRO),
  copySeconds: broker('us/copy', MICRO),
  subjectBytes: memory('bytes/subject'),
  interestBytes: memory('bytes/subscription'),
  rememberedIdBytes: memory('bytes/remembered id'),
  projectSeconds: place('unit-costs-sends', 'sends', 'us/event, projected', MICRO),
  pageSeconds: place('unit-costs-pages', 'pages', 'us/page', MICRO),
  loggedBytes: broker('bytes/message in the log', 1),
  viewBytes: place('unit-costs-pages', 'pages', 'bytes/message in the views', 1),
  frameBytes: gateway('bytes/delivery', 1),
  noticeEntryBytes: gateway('bytes/notice entry', 1),
};

/** For what has not been measured on a quiet machine yet: from development, or by reasoning. */
export const ESTIMATES: UnitCosts = {
  connectionBytes: 8_300,
  connectionsPerProcess: 15_000,
  deliverySeconds: 5.3e-6,
  liveEventSeconds: 20e-6,
  noticeEntrySeconds: 0.5e-6,
  openSeconds: 400e-6,
  edgeSendSeconds: 70e-6,
  decideSeconds: 55e-6,
  appendSeconds: 7.5e-6,
  copySeconds: 0.9e-6,
  syncedAppendsPerSecond: [
    [1, 7_000],
    [4, 15_000],
    [16, 22_000],
  ],
  subjectBytes: 500,
  interestBytes: 300,
  rememberedIdBytes: 100,
  projectSeconds: 40e-6,
  pageSeconds: 900e-6,
  loggedBytes: 700,
  viewBytes: 600,
  frameBytes: 420,
  noticeEntryBytes: 60,
};

export interface SourcedCosts {
  readonly costs: UnitCosts;
  /** By cost: the command that measured it and when, or that it is an estimate. */
  readonly sources: Readonly<Record<keyof UnitCosts, string>>;
}

const ESTIMATE = 'an estimate: not measured on a quiet machine yet, or lost in its noise';
const CURVE = 'curve-partitions';
const DIGITS = 3;

export function costsFrom(sections: readonly Section[]): SourcedCosts {
  const costs: Record<string, UnitCosts[keyof UnitCosts]> = {};
  const sources: Record<string, string> = {};
  for (const [name, { value, source }] of measured(sections)) [costs[name], sources[name]] = [value, source];
  for (const name of Object.keys(ESTIMATES) as (keyof UnitCosts)[])
    if (!(name in costs)) [costs[name], sources[name]] = [ESTIMATES[name], ESTIMATE];
  return { costs: costs as unknown as UnitCosts, sources: sources as SourcedCosts['sources'] };
}

/** Of what `npm run bench` has kept. */
export const unitCosts = (): SourcedCosts => costsFrom(readSections(join(import.meta.dirname, '..', 'RESULTS.md')));

interface Known {
  readonly value: UnitCosts[keyof UnitCosts];
  readonly source: string;
}

function measured(sections: readonly Section[]): Map<keyof UnitCosts, Known> {
  const known = new Map<keyof UnitCosts, Known>();
  for (const [name, at] of Object.entries(PLACES) as [keyof Costs, Place][]) {
    const value = valueAt(sections, at);
    const without = at.without === undefined ? 0 : valueAt(sections, PLACES[at.without]);
    const section = sections.find((each) => each.name === at.benchmark);
    if (value === undefined || without === undefined || section === undefined) continue;
    // Nothing costs nothing: what came out so was less than the noise, and the estimate stands.
    if (value <= without) continue;
    known.set(name, { value: rounded(value - without), source: sourceOf(section) });
  }
  const curve = sections.find(({ name }) => name === CURVE);
  const points = curve?.subjects.map((subject) => [Number(subject.name), medianOf(subject, 'appends/s')] as const);
  if (curve !== undefined && points !== undefined)
    known.set('syncedAppendsPerSecond', {
      value: points.flatMap(([streams, rate]) => (rate === undefined ? [] : [[streams, rounded(rate)] as const])),
      source: sourceOf(curve),
    });
  return known;
}

const sourceOf = ({ name, at, commit }: Section): string =>
  `\`npm run bench -- ${name}\`, ${at.slice(0, 10)}, ${commit}`;

function valueAt(sections: readonly Section[], at: Place | undefined): number | undefined {
  const section = sections.find(({ name }) => name === at?.benchmark);
  const subject = section?.subjects.find(({ name }) => name === at?.subject);
  const median = at && subject && medianOf(subject, at.figure);
  return median === undefined ? undefined : median * at!.unit;
}

/** Undefined where no round has the figure, or something else than a number. */
function medianOf({ rounds }: SubjectResult, figure: string): number | undefined {
  const values = rounds.flatMap(({ figures }) => figures[figure] ?? []).filter(Number.isFinite);
  return values.length === 0 ? undefined : spread(values).median;
}

/** More digits would say more than was measured. */
const rounded = (value: number): number => Number(value.toPrecision(DIGITS));
