/** What a soak found, as markdown: a row for each process, and whether it stays where it is. */
import { isFlat, trendOf, type Sample } from './trend.js';
import { MIB } from './watched-process.js';

/** Samples of one process, in the order of their times; without those of the warm-up. */
export interface Series {
  readonly name: string;
  readonly kind: 'service' | 'nats-server' | 'PostgreSQL';
  readonly resident: readonly Sample[];
  /** Alive after a collection; empty for what is not ours. */
  readonly heap: readonly Sample[];
  /** Alive when everybody has gone and what was theirs is let go. */
  readonly heapAtRest: number;
  readonly loopP99Ms: number;
  readonly loopMaxMs: number;
}

/** A heap after a collection moves little; a process gives memory back when it likes. */
const HEAP_NOISE = { amount: 3 * MIB, share: 0.05 };
/** Beyond what was alive at the beginning: caches that are bounded in number keep what came last. */
const REST_NOISE = { amount: 8 * MIB, share: 0.15 };
const RESIDENT_NOISE = { amount: 24 * MIB, share: 0.15 };

export interface Row {
  readonly name: string;
  readonly cells: readonly string[];
  readonly flat: boolean;
}

/**
 * Services are judged by their heap, which only what is kept can raise, and by their resident memory; nats-server and PostgreSQL are
 * shown and not judged: they keep what they are given, and why is told beside the table.
 */
export function rowOf({ name, kind, resident, heap, heapAtRest, loopP99Ms, loopMaxMs }: Series): Row {
  const memory = trendOf(resident);
  const isService = kind === 'service';
  const alive = isService ? trendOf(heap) : undefined;
  const flat =
    alive === undefined ||
    (isFlat(alive, HEAP_NOISE) &&
      isFlat(memory, RESIDENT_NOISE) &&
      isFlat({ ...alive, growth: heapAtRest - alive.start, mean: alive.start }, REST_NOISE));
  const loop = isService ? `${loopP99Ms.toFixed(0)} / ${loopMaxMs.toFixed(0)}` : '';
  const heapCells = alive
    ? [mib(alive.start), mib(alive.end), perHour(alive.perHour), mib(heapAtRest)]
    : ['', '', '', ''];
  const verdict = isService ? (flat ? 'flat' : '**rises**') : 'data, see below';
  const cells = [mib(memory.start), mib(memory.end), mib(memory.max), perHour(memory.perHour), ...heapCells];
  return { name, cells: [...cells, loop, verdict], flat };
}

export function table(rows: readonly Row[]): string {
  const head = [
    'process',
    'RSS start',
    'end',
    'max',
    'MiB/h',
    'heap start',
    'end',
    'MiB/h',
    'at rest',
    'loop p99 / max ms',
    '',
  ];
  const lines = [head, head.map(() => '---'), ...rows.map(({ name, cells }) => [name, ...cells])];
  return lines.map((cells) => `| ${cells.join(' | ')} |`).join('\n');
}

const mib = (bytes: number): string => (bytes / MIB).toFixed(1);
const perHour = (bytes: number): string => `${bytes >= 0 ? '+' : ''}${(bytes / MIB).toFixed(1)}`;
