/**
 * A TypeScript program of ours as a process of its own, asked by calls: the load, and the peers. Both ends are here; a program is
 * a file that says `serve({ name: async (argument) => result })`. When its owner ends, however, it ends too.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { projectRoot } from '#embedded';

const FLAGS = ['--enable-source-maps', '--conditions=source', '--import', '@swc-node/register/esm-register'];
const STOP_WITHIN_MS = 5_000;

interface Call {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
}

type Answer =
  | { readonly ready: true }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly failure: string };

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

export class Program {
  private readonly waiting = new Map<number, Waiting>();
  private calls = 0;
  private ended: string | undefined;

  private constructor(
    readonly file: string,
    private readonly child: ChildProcess,
  ) {
    child.once('exit', (code, signal) => this.end(`${file} ended (${signal ?? `exit code ${code}`})`));
    child.once('error', (error) => this.end(String(error)));
    child.on('message', (answer: Answer) => this.take(answer));
  }

  /** Resolves when it serves. @param flags for Node itself, as `--expose-gc` */
  static async start(file: string, flags: readonly string[] = []): Promise<Program> {
    const child = fork(file, [], { cwd: projectRoot(), execArgv: [...FLAGS, ...flags], serialization: 'advanced' });
    const program = new Program(file, child);
    await new Promise((resolve, reject) => program.waiting.set(READY, { resolve, reject }));
    return program;
  }

  get pid(): number {
    return this.child.pid ?? 0;
  }

  call<T>(name: string, argument?: unknown): Promise<T> {
    if (this.ended !== undefined) return Promise.reject(new Error(this.ended));
    const id = ++this.calls;
    return new Promise<T>((resolve, reject) => {
      this.waiting.set(id, { resolve: (value) => resolve(value as T), reject });
      this.child.send({ id, name, argument } satisfies Call);
    });
  }

  async stop(): Promise<void> {
    if (this.ended !== undefined) return;
    const gone = new Promise((resolve) => this.child.once('exit', resolve));
    const impatience = setTimeout(() => this.child.kill('SIGKILL'), STOP_WITHIN_MS);
    this.child.disconnect();
    await gone;
    clearTimeout(impatience);
  }

  private take(answer: Answer): void {
    const id = 'ready' in answer ? READY : answer.id;
    const waiting = this.waiting.get(id);
    this.waiting.delete(id);
    if ('failure' in answer) waiting?.reject(new Error(`${this.file}: ${answer.failure}`));
    else waiting?.resolve('ready' in answer ? undefined : answer.result);
  }

  private end(how: string): void {
    this.ended = how;
    for (const { reject } of this.waiting.values()) reject(new Error(how));
    this.waiting.clear();
  }
}

/** The place of the word that it is ready; calls count from 1. */
const READY = 0;

type Handlers = Readonly<Record<string, (argument: never) => unknown>>;

/** The program's end. */
export function serve(handlers: Handlers): void {
  if (process.send === undefined) throw new Error('this program is started by a benchmark');
  const answer = (value: Answer): void => void process.send?.(value);
  const handle = async ({ id, name, argument }: Call): Promise<void> => {
    try {
      const handler = handlers[name];
      if (handler === undefined) throw new Error(`there is no ${name}`);
      answer({ id, result: await handler(argument as never) });
    } catch (error) {
      answer({ id, failure: error instanceof Error ? (error.stack ?? error.message) : String(error) });
    }
  };
  process.on('message', (call: Call) => void handle(call));
  process.on('disconnect', () => process.exit());
  // An interrupt in the terminal reaches every process; the owner decides when this one ends.
  process.on('SIGINT', () => undefined);
  answer({ ready: true });
}
