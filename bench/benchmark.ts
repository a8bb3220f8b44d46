/**
 * What a benchmark is. One file of `rows/` declares one or several; the harness finds them there, starts their subjects, measures
 * these in turn (A B A B ...), and compares the first one with the others.
 *
 * Terminology
 * - *subject*: what is measured: Parley, the floor (the same work without a platform around it), a peer.
 * - *figure*: a number with a name that ends in its unit. Each round gives the benchmark's own figure, and may give others.
 * - *ratio*: the first subject's figure over another one's of the same round; of the rounds, the median counts.
 */
import type { Stage } from './stage.js';

export interface Benchmark {
  /** Kebab-case and unique; `npm run bench -- NAME` runs all that begin with it. */
  readonly name: string;
  /** What is measured, how, and what the others are; with the sync mode where the log is written. */
  readonly sentence: string;
  /** The name of the figure that counts: `deliveries/s`, `KB`. */
  readonly figure: string;
  readonly better: 'higher' | 'lower';
  /**
   * Of the first subject: `>= 0.9 of bare`, `<= 1.1 x bare`, `<= 9 KB`; with another figure's name in front where it is not the
   * benchmark's own: `p50 ms <= 2 x floor`.
   */
  readonly goals: readonly string[];
  readonly subjects: readonly Subject[];
  /** At most; fewer than the command line says where a round takes long, or can be had once only: what has grown does not shrink. */
  readonly rounds?: number;
  /** What a reader has to know, and what was tried. */
  readonly notes?: readonly string[];
}

export interface Subject {
  /** `parley` first; then what it is compared with. Of a curve: its sizes, the smallest first, one line each. */
  readonly name: string;
  start(stage: Stage): Promise<Started>;
}

export interface Started {
  /** What its line is called, where a short run has another size than the subject's name says. */
  readonly label?: string;
  /** Pids by name, as they are when a round begins; the CPU of a process counts its children's. The load belongs here too. */
  processes(): Readonly<Record<string, number>>;
  /** The process that does the work: the table then says what one core of it would give. */
  readonly worker?: string;
  /** Before the first round, and not measured. */
  warm?(round: Round): Promise<void>;
  /** Before each round, and not measured: of a curve, the growing. */
  prepare?(round: Round): Promise<void>;
  measure(round: Round): Promise<Figures>;
  stop(): Promise<void>;
}

export interface Round {
  /** From 1. */
  readonly number: number;
  /** Short rounds, to see that everything works: no figure of these is worth keeping. */
  readonly quick: boolean;
  /** Sizes and times as large as the issue names them, where the usual ones are smaller. */
  readonly full: boolean;
}

/** By name. The benchmark's own has to be in it. */
export type Figures = Readonly<Record<string, number>>;
