/** What the subjects of one benchmark share: servers that are started once, by whoever needs them first, and end with it. */
import { readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { processNamed, temporaryFolder } from '#embedded';
import { allEnded, unlessOver } from './endings.js';

const STARTED_WITHIN_MS = 30_000;

interface Stoppable {
  stop(): Promise<void>;
}

export interface StageOptions {
  readonly quick: boolean;
  readonly full: boolean;
  readonly say: (line: string) => void;
  readonly profile: string | undefined;
}

export class Stage {
  private readonly known = new Map<string, Promise<Stoppable>>();
  private readonly stops: (() => Promise<void>)[] = [];

  /** Processes that begin a profile when they are told to. */
  private readonly profiled: number[] = [];

  private constructor(
    readonly quick: boolean,
    readonly full: boolean,
    /** Empty at first, and removed at the end. */
    readonly folder: string,
    /** Tells the operator what is going on. */
    readonly say: (line: string) => void,
    /** Where profiles go, if any are wanted. */
    private readonly profileFolder: string | undefined,
    private readonly removeFolder: () => Promise<void>,
  ) {}

  static async open({ quick, full, say, profile }: StageOptions): Promise<Stage> {
    const folder = await temporaryFolder(`bench-${process.pid}`);
    return new Stage(quick, full, folder.path, say, profile, () => folder.remove());
  }

  /** Started by the first caller; the others get the same. */
  once<T extends Stoppable>(name: string, start: () => Promise<T>): Promise<T> {
    const known = this.known.get(name);
    if (known !== undefined) return known as Promise<T>;
    const started = start().then((part) => this.keep(part));
    this.known.set(name, started);
    return started;
  }

  /** Ends with the stage; the last first. */
  keep<T extends Stoppable>(part: T): T {
    this.stops.push(() => part.stop());
    return part;
  }

  /** For the environment of a service that is to be profiled. */
  profiling(): Record<string, string> {
    if (this.profileFolder === undefined) return {};
    const profiler = pathToFileURL(join(import.meta.dirname, 'profiler.mjs')).href;
    return { NODE_OPTIONS: `--import ${profiler}`, BENCH_PROFILE_FOLDER: this.profileFolder };
  }

  /** Of a service that was started with that environment. */
  profile(pid: number): void {
    if (this.profileFolder !== undefined) this.profiled.push(pid);
  }

  /** Before the first round, and after the last one. */
  toggleProfiles(): void {
    for (const pid of this.profiled) process.kill(pid, 'SIGUSR2');
  }

  /** Ends all that was started, and what is being started too; whatever fails, the rest is ended. */
  async close(): Promise<void> {
    const ended = (): Promise<void> => allEnded(this.stops.splice(0).reverse());
    await allEnded([ended, () => this.untilStarted(), ended, this.removeFolder]);
  }

  /** What is interrupted while it fills a platform fails once that is gone, or is left to the end of this process. */
  private async untilStarted(): Promise<void> {
    await unlessOver(AbortSignal.timeout(STARTED_WITHIN_MS), Promise.allSettled(this.known.values()));
  }
}

const FOLDER = /^parley-bench-(\d+)-/;

/** Folders of harnesses that were killed: what ran in them has ended with its owner. */
export function removeLeftFolders(within = tmpdir()): readonly string[] {
  const left = readdirSync(within).filter((name) => {
    const owner = FOLDER.exec(name)?.[1];
    return owner !== undefined && processNamed(Number(owner)) === undefined;
  });
  for (const name of left) rmSync(join(within, name), { recursive: true, force: true, maxRetries: 5 });
  return left;
}
