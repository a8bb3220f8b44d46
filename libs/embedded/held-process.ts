import { startGuarded, type Launch, type Run } from './guard.js';
import type { OwnerLock } from './owner-lock.js';
import { isRunning, signal, type ProcessName } from './process-table.js';
import { waitUntil } from './wait-until.js';

/** A process that this one has started and holds. Every method acts on the process itself, never on its guard alone. */
export interface Child {
  /** For messages. */
  readonly title: string;
  /** Of the present run, or of the last one. */
  readonly pid: number;
  /** SIGKILL; resolves when it has ended. `restart` starts it again. */
  kill(): Promise<void>;
  /** SIGSTOP: it keeps its sockets and answers nothing. */
  pause(): void;
  resume(): void;
  /** Ends it in order if it runs, and starts it again with the same port and data; resolves when it is ready. */
  restart(): Promise<void>;
  /** Ends it in order, with SIGKILL after its grace, and lets go of its folder. */
  stop(): Promise<void>;
  /** Calls `listener` with how it ended whenever it ends without having been asked to by a method of this object. */
  onExit(listener: (how: string) => void): void;
}

export interface Held {
  launch(): Launch | Promise<Launch>;
  /** Resolves when the run can be used; gives up when `over` is aborted, which its end does. */
  ready(run: Run, over: AbortSignal): Promise<void>;
  /** What a log says about why a run ended, in a line for the operator. */
  explain(log: string): string | undefined;
  /** Processes that are paused and continued with the child: PostgreSQL's backends. */
  companions?(pid: number): ProcessName[];
  lock?: OwnerLock;
}

const LOG_LINES_SHOWN = 3;
const COMPANIONS_PATIENCE_MS = 2_000;
const COMPANIONS_END_MS = 10_000;

/**
 * States: `down` -> start -> `up` -> kill, stop or its own end -> `down`. A run that ends while it is not wanted to
 * be down is reported to the listeners; nothing is started again by itself.
 */
export class HeldProcess implements Child {
  #run: Run | undefined;
  #pid = 0;
  #lastLog = '';
  readonly #listeners: ((how: string) => void)[] = [];

  constructor(
    readonly title: string,
    private readonly held: Held,
  ) {}

  get pid(): number {
    return this.#pid;
  }

  get log(): string {
    return this.#run?.log.tail() ?? this.#lastLog;
  }

  async start(): Promise<void> {
    const run = await startGuarded(await this.held.launch());
    this.#run = run;
    this.#pid = run.child.pid;
    let ready = false;
    const over = new AbortController();
    void run.ended.then((how) => {
      this.#lastLog = run.log.tail();
      if (this.#run !== run) return;
      this.#run = undefined;
      if (ready) this.#listeners.forEach((listener) => listener(how));
    });
    try {
      const early = run.ended.then((how) => (ready ? undefined : this.#failed(how, run)));
      await Promise.race([this.held.ready(run, over.signal), early]);
      ready = true;
    } catch (error) {
      over.abort();
      await this.kill();
      throw error;
    }
  }

  async kill(): Promise<void> {
    const run = this.#letGo();
    if (!run) return;
    const companions = this.held.companions?.(run.child.pid) ?? [];
    if (isRunning(run.child)) signal(run.child.pid, 'SIGKILL');
    await run.ended;
    await this.#outlive(companions);
  }

  pause(): void {
    this.#signalAll('SIGSTOP');
  }

  resume(): void {
    this.#signalAll('SIGCONT');
  }

  async restart(): Promise<void> {
    await this.#end();
    await this.start();
  }

  async stop(): Promise<void> {
    await this.#end();
    this.held.lock?.release();
  }

  onExit(listener: (how: string) => void): void {
    this.#listeners.push(listener);
  }

  async #end(): Promise<void> {
    if (!this.#run) return;
    this.resume();
    const run = this.#letGo();
    if (run) await endInOrder(run);
  }

  /** From here on the run's end is our own doing. */
  #letGo(): Run | undefined {
    const run = this.#run;
    this.#run = undefined;
    return run;
  }

  #signalAll(name: 'SIGSTOP' | 'SIGCONT'): void {
    if (!this.#run) throw new Error(`${this.title} is not running`);
    // The parent first when stopping, so that it starts no companion that is missed.
    const pid = this.#run.child.pid;
    signal(pid, name);
    for (const companion of this.held.companions?.(pid) ?? []) signal(companion.pid, name);
  }

  /** Companions end by themselves when they notice; one that is paused or busy is ended, because a restart needs them gone. */
  async #outlive(companions: readonly ProcessName[]): Promise<void> {
    const patienceUntil = Date.now() + COMPANIONS_PATIENCE_MS;
    await waitUntil(`${this.title}: its processes end`, COMPANIONS_END_MS, () => {
      const left = companions.filter(isRunning);
      if (Date.now() > patienceUntil) left.forEach((companion) => signal(companion.pid, 'SIGKILL'));
      return left.length === 0;
    });
  }

  #failed(how: string, run: Run): never {
    const log = run.log.tail();
    const reason = this.held.explain(log) ?? log.trim().split('\n').slice(-LOG_LINES_SHOWN).join(' | ');
    throw new Error(`${this.title} ended while starting (${how})${reason && `: ${reason}`}`);
  }
}

async function endInOrder(run: Run): Promise<void> {
  if (isRunning(run.child)) signal(run.child.pid, run.launch.stopSignal);
  const impatience = setTimeout(() => {
    if (isRunning(run.child)) signal(run.child.pid, 'SIGKILL');
  }, run.launch.graceSeconds * 1_000);
  await run.ended;
  clearTimeout(impatience);
}
