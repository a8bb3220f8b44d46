/** One seed: a fresh cluster, a crowd, the schedule, and the verdict on what came of it. */
import { rmSync } from 'node:fs';
import { startPlatform, temporaryFolder, type Platform } from '#embedded';
import { checkHistory, recordedNow, shortestHistory, type History, type Shortest, type Violation } from '#testing';
import { assertCheckerBites, Crowd, type Tally } from '../crowd/crowd.js';
import { checkNothingUndescribed } from '../described.js';
import { withLog } from '../log.js';
import { SECRET } from '../platform.js';
import { Random } from '../random.js';
import { Arena, PARTITIONS } from './arena.js';
import { canMountHere, SmallDisks, slowingBy } from './disks.js';
import { carryOut, type RoundReport } from './nemesis.js';
import { describeBlow, schedule, type ScheduleOptions } from './schedule.js';
import { worldOf } from './world.js';

export interface SeedOptions extends ScheduleOptions {
  readonly seed: number;
  readonly say: (text: string) => void;
  /** False: no disk is mounted, as where one may not. */
  readonly mounts?: boolean;
  /** Another entry file for a process: a planted fault, which has to be found. */
  readonly mainOf?: Readonly<Record<string, string>>;
  readonly people?: Crowd['options']['people'];
  /** Looks at what is there before it is removed: the folder has every process's log. */
  readonly afterwards?: (report: SeedReport, history: History | undefined, folder: string) => void;
}

export interface SeedReport {
  readonly seed: number;
  readonly startedAt: number;
  readonly tookMs: number;
  readonly rounds: readonly RoundReport[];
  readonly violations: readonly Violation[];
  /** The fewest records that show the first of them. */
  readonly shortest?: Shortest;
  /** What else must not be: ends that nobody asked for, faults at clients, somebody who does not go on. */
  readonly failures: readonly string[];
  readonly notes: readonly string[];
  readonly clients: number;
  readonly entries: number;
  readonly deliveries: number;
  readonly notRecovered: number;
  readonly tally?: Tally;
  readonly refusals: Readonly<Record<string, number>>;
  readonly disks: string;
}

/** Ends what is running now; for signals. */
export const running = new Set<() => Promise<void>>();

/** With the one who owns the rooms. */
const PEOPLE = { socket: 26, http: 9, events: 8, grpc: 10 } as const;
const EVERY_MS = 500;

export async function runSeed(options: SeedOptions): Promise<SeedReport> {
  const { seed, say } = options;
  const startedAt = recordedNow();
  const folder = await temporaryFolder(`chaos-${seed}`);
  const random = new Random(seed);
  const world = worldOf(random.fork('world'));
  const mounts = options.mounts !== false && (await canMountHere(folder.path));
  const rounds = schedule(random.fork('schedule'), world, options);
  for (const [at, round] of rounds.entries())
    say(`planned round ${at + 1}: ${round.map((blow) => `${describeBlow(blow)}${after(blow.afterMs)}`).join('; ')}`);
  const disks = new SmallDisks(folder.path);
  const run = new SeedRun(options, startedAt);
  let platform: Platform | undefined;
  const end = (): Promise<void> => stopAll(platform, disks, run.failures);
  running.add(end);
  try {
    for (const owner of mounts ? world.smallDisks : []) await disks.mount(owner);
    run.disks = `full: ${world.smallDisks.join(', ')} by ${mounts ? 'tmpfs' : 'quota'}; slowed by ${slowingBy()}`;
    platform = await startPlatform({
      nodes: 3,
      cuttable: true,
      folder: folder.path,
      relayed: world.relayed,
      env: { JWT_SECRET: SECRET, RATE_LIMITS: 'off', ROOMS_ON_JOIN: 'true', CONNECTIONS_PUBLIC: 'true' },
      ...(options.mainOf && { mainOf: options.mainOf }),
    });
    say('the platform stands');
    await run.on(platform, disks, rounds);
  } catch (error) {
    run.failures.push(`the run itself: ${describe(error)}`);
  } finally {
    await end();
    running.delete(end);
  }
  const report = run.report();
  options.afterwards?.(report, run.history, folder.path);
  rmSync(folder.path, { recursive: true, force: true, maxRetries: 5 });
  return report;
}

const after = (ms: number): string => (ms === 0 ? '' : `, ${(ms / 1_000).toFixed(1)} s later`);

async function stopAll(platform: Platform | undefined, disks: SmallDisks, failures: string[]): Promise<void> {
  for (const stop of [() => platform?.stop(), () => disks.unmount()]) {
    try {
      await stop();
    } catch (error) {
      failures.push(`the end: ${describe(error)}`);
    }
  }
}

class SeedRun {
  readonly failures: string[] = [];
  readonly #rounds: RoundReport[] = [];
  #violations: readonly Violation[] = [];
  #crowd: Crowd | undefined;
  #arena: Arena | undefined;
  history: History | undefined;
  disks = '';

  constructor(
    private readonly options: SeedOptions,
    private readonly startedAt: number,
  ) {}

  async on(platform: Platform, disks: SmallDisks, rounds: ReturnType<typeof schedule>): Promise<void> {
    const { seed, say, people = PEOPLE } = this.options;
    const crowd = await Crowd.gather(platform, { seed, people, everyMs: EVERY_MS, patient: true });
    this.#crowd = crowd;
    const arena = new Arena(platform, crowd, disks);
    this.#arena = arena;
    try {
      crowd.talk();
      await crowd.progress('before anything is broken');
      for (const round of rounds) this.#rounds.push(await carryOut(arena, round, say));
      await this.#judge(crowd, platform);
    } catch (error) {
      this.failures.push(describe(error));
      // What was promised is promised also where somebody does not go on.
      await this.#judge(crowd, platform, false).catch((late: unknown) =>
        this.failures.push(`the verdict: ${describe(late)}`),
      );
    } finally {
      crowd.stop();
    }
    this.failures.push(...platform.unexpected, ...arena.unexpected, ...crowd.faults.slice(0, 20));
    try {
      checkNothingUndescribed();
    } catch (error) {
      this.failures.push(describe(error));
    }
  }

  async #judge(crowd: Crowd, platform: Platform, settled = true): Promise<void> {
    await withLog(platform.natsUrls(), PARTITIONS, async (log) => {
      if (settled) {
        await crowd.settle(log);
        this.options.say('silence; everybody has everything');
      } else crowd.hush();
      const history = await crowd.history(log, settled);
      this.history = history;
      this.#violations = checkHistory(history);
      if (this.#violations.length === 0 && settled) assertCheckerBites(history);
    });
  }

  report(): SeedReport {
    const { seed } = this.options;
    const crowd = this.#crowd;
    const [violation] = this.#violations;
    const clients = this.history?.clients ?? [];
    const steps = clients.flatMap((client) => client.steps);
    const isDelivery = (step: (typeof steps)[number]): boolean =>
      step.kind === 'message' ||
      step.kind === 'member' ||
      (step.kind === 'frame' && ['event', 'skip'].includes(step.frame.op));
    // The first welcome of a client has nothing to recover.
    const notRecovered = clients.flatMap((client) =>
      client.steps.filter(isUnrecovered).slice(client.via === 'grpc' ? 0 : 1),
    );
    return {
      seed,
      startedAt: this.startedAt,
      tookMs: recordedNow() - this.startedAt,
      rounds: this.#rounds,
      violations: this.#violations,
      ...(violation && this.history && { shortest: shortestHistory(this.history, violation) }),
      failures: this.failures,
      notes: this.#arena?.notes ?? [],
      clients: clients.length,
      entries: this.history?.log.length ?? 0,
      deliveries: steps.filter(isDelivery).length,
      notRecovered: notRecovered.length,
      ...(crowd && { tally: crowd.tally() }),
      refusals: Object.fromEntries(crowd?.refusals ?? []),
      disks: this.disks,
    };
  }
}

function isUnrecovered(step: History['clients'][number]['steps'][number]): boolean {
  if (step.kind === 'opened') return step.recovered === false;
  return step.kind === 'frame' && step.frame.op === 'welcome' && !step.frame.recovered;
}

const describe = (error: unknown): string => (error instanceof Error ? error.message : String(error));
