/**
 * A running process as the soak sees it: what it occupies (/proc), and, where it is one of ours, what of its heap is alive after a
 * collection and how long its event loop was held. The latter come over Node's inspector, which a service is started with
 * (`inspected`): the service itself has nothing for it.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { WebSocket } from 'ws';
import { waitUntil } from '#embedded';

export const MIB = 1024 * 1024;

/** A service that lets its heap grow without end is ended by V8, which the soak sees. */
const HEAP_MAX_MIB = 256;
const CONNECT_WITHIN_MS = 10_000;
const ANSWER_WITHIN_MS = 20_000;

/** Environment of a service that can be looked into. */
export const inspected = (port: number): Readonly<Record<string, string>> => ({
  NODE_OPTIONS: `--inspect=127.0.0.1:${port} --max-old-space-size=${HEAP_MAX_MIB}`,
});

/** Resident memory of a process and, where it has some, of its children (PostgreSQL's share most of theirs, which counts once). */
export function residentBytes(pid: number): number {
  const children = childrenOf(pid);
  return children.length === 0
    ? kibOf(`/proc/${pid}/status`, 'VmRSS') * 1024
    : [pid, ...children].reduce((sum, each) => sum + kibOf(`/proc/${each}/smaps_rollup`, 'Pss') * 1024, 0);
}

function childrenOf(parent: number): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.map(Number).filter((pid) => kibOf(`/proc/${pid}/status`, 'PPid') === parent);
}

/** A number of one of the tables of /proc; 0 where the process has just ended. */
function kibOf(file: string, field: string): number {
  try {
    return Number(new RegExp(`^${field}:\\s*(\\d+)`, 'm').exec(readFileSync(file, 'utf8'))?.[1] ?? 0);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ESRCH' || code === 'EACCES') return 0;
    throw error;
  }
}

export interface Health {
  /** What is left after a collection. */
  readonly heapBytes: number;
  /** Since the last look: 99 % of the delays of the event loop were shorter, and none was longer. */
  readonly loopP99Ms: number;
  readonly loopMaxMs: number;
}

const BEGIN = `globalThis.soakLoop = process.getBuiltinModule('node:perf_hooks').monitorEventLoopDelay({ resolution: 10 }); soakLoop.enable()`;
const LOOK = `(() => { const seen = [soakLoop.percentile(99) / 1e6, soakLoop.max / 1e6]; soakLoop.reset(); return JSON.stringify(seen); })()`;
/** The loop has to turn once before what a collection held it for can be left out. */
const FORGET = `new Promise((turned) => setTimeout(turned, 50)).then(() => soakLoop.reset())`;

/** A connection to a service's inspector. Its process ends only when this is closed. */
export class Inspector {
  private asked = 0;
  private readonly waiting = new Map<number, (result: Record<string, unknown>) => void>();

  private constructor(private readonly socket: WebSocket) {
    socket.on('message', (data: Buffer) => {
      const { id, result } = JSON.parse(data.toString()) as { id?: number; result?: Record<string, unknown> };
      if (id === undefined) return;
      this.waiting.get(id)?.(result ?? {});
      this.waiting.delete(id);
    });
    // A process that is gone says so by its own exit.
    socket.on('error', () => undefined);
  }

  static async open(port: number): Promise<Inspector> {
    const listed = await fetch(`http://127.0.0.1:${port}/json/list`);
    const [target] = (await listed.json()) as { webSocketDebuggerUrl: string }[];
    const socket = new WebSocket(target?.webSocketDebuggerUrl ?? '', { perMessageDeflate: false });
    const inspector = new Inspector(socket);
    await waitUntil(`the inspector at ${port}`, CONNECT_WITHIN_MS, () => socket.readyState === WebSocket.OPEN);
    await inspector.evaluate(BEGIN);
    return inspector;
  }

  /** Collects garbage first: what is alive then is kept by somebody. The pause of that is not the service's. */
  async look(): Promise<Health> {
    const [loopP99Ms = 0, loopMaxMs = 0] = JSON.parse(await this.evaluate(LOOK)) as number[];
    await this.ask('HeapProfiler.collectGarbage');
    const { usedSize } = await this.ask('Runtime.getHeapUsage');
    await this.evaluate(FORGET);
    return { heapBytes: Number(usedSize), loopP99Ms, loopMaxMs };
  }

  close(): void {
    this.socket.terminate();
  }

  private async evaluate(expression: string): Promise<string> {
    const { result } = await this.ask('Runtime.evaluate', { expression, returnByValue: true, awaitPromise: true });
    return String((result as { value?: unknown } | undefined)?.value);
  }

  private async ask(method: string, params: object = {}): Promise<Record<string, unknown>> {
    const id = ++this.asked;
    let answer: Record<string, unknown> | undefined;
    this.waiting.set(id, (result) => (answer = result));
    this.socket.send(JSON.stringify({ id, method, params }));
    return waitUntil(`an answer to ${method}`, ANSWER_WITHIN_MS, () => answer);
  }
}
