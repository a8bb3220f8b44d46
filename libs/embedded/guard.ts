import { spawn, type ChildProcess } from 'node:child_process';
import { constants } from 'node:os';
import type { Readable, Writable } from 'node:stream';
import { openLog, type Log } from './log-file.js';
import type { OwnerLock } from './owner-lock.js';
import { isRunning, processNamed, signal, type ProcessName } from './process-table.js';

/**
 * Every child is held by a guard: a shell of a megabyte that waits for the child and, beside it, for the end of its own standard
 * input. The owner holds the other end of that pipe, so however the owner ends (kill -9 included) the pipe closes and the
 * guard ends the child: first with the stop signal, then, after the grace, with SIGKILL.
 *
 * Order: the guard starts; the owner notes it on disk; the owner writes one line; only then the child starts. An owner that dies
 * in between leaves either nothing or something that its successor can find. The guard is the leader of its own session, so
 * Ctrl-C in a terminal reaches the owner alone. An owner that is only paused keeps its children.
 */
const GUARD = `
grace=$1; signal=$2; shift 2
exec 4<&0 </dev/null
read -r go <&4 || exit 0
"$@" 3>&- 4<&- &
child=$!
echo "$child" >&3
exec 3>&-
(
  while read -r _ <&4; do :; done
  kill -s "$signal" "$child"
  kill -s CONT "$child"
  waited=0
  while [ "$waited" -lt "$grace" ] && kill -0 "$child"; do sleep 1; waited=$((waited + 1)); done
  kill -s KILL "$child"
) 2>/dev/null &
watcher=$!
wait "$child"
status=$?
kill "$watcher" 2>/dev/null
wait "$watcher" 2>/dev/null
exit "$status"
`;

export interface Launch {
  /** For messages: `nats-server`, `PostgreSQL`, `gateway-1`. */
  readonly title: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Record<string, string>;
  readonly cwd?: string;
  readonly uid?: number;
  readonly gid?: number;
  /** Standard output and error are appended here; without it they go to a file that has no name any more. */
  readonly logFile?: string;
  /** `inherit`: it writes to our own standard output and error instead. */
  readonly output?: 'inherit';
  readonly stopSignal: 'SIGTERM' | 'SIGINT';
  /** How long the child may take to end in order before it is killed. */
  readonly graceSeconds: number;
  /** Where to note what was started. */
  readonly lock?: OwnerLock;
}

/** One run of a child, from start to end. */
export interface Run {
  readonly launch: Launch;
  readonly child: ProcessName;
  readonly log: Log;
  /** How it ended: `exit code 1`, `SIGKILL`. Never rejects. */
  readonly ended: Promise<string>;
}

export async function startGuarded(launch: Launch): Promise<Run> {
  if (process.platform === 'win32') {
    throw new Error(
      `${launch.title}: the embedded servers need Linux or macOS: use WSL2, or set NATS_URL and DATABASE_URL`,
    );
  }
  const log = openLog(launch.logFile);
  const guard = spawn(
    '/bin/sh',
    [
      '-c',
      GUARD,
      'parley-guard',
      String(launch.graceSeconds),
      launch.stopSignal.slice(3),
      launch.command,
      ...launch.args,
    ],
    {
      env: launch.env,
      detached: true,
      stdio: ['pipe', ...(launch.output ? ([1, 2] as const) : [log.descriptor, log.descriptor]), 'pipe'],
      ...(launch.cwd !== undefined && { cwd: launch.cwd }),
      ...(launch.uid !== undefined && { uid: launch.uid }),
      ...(launch.gid !== undefined && { gid: launch.gid }),
    },
  );
  try {
    return await followGuard(guard, launch, log);
  } catch (error) {
    log.close();
    throw error;
  }
}

async function followGuard(guard: ChildProcess, launch: Launch, log: Log): Promise<Run> {
  const input = guard.stdin as Writable;
  const ended = new Promise<string>((resolve, reject) => {
    guard.once('exit', (code, killedBy) =>
      resolve(killedBy ? `the guard was ended by ${killedBy}` : howItEnded(code ?? 0)),
    );
    guard.once('error', reject);
  });
  // The guard's end closes this pipe; writing to it then is no event of its own.
  input.on('error', () => input.destroy());
  const guardName = guard.pid === undefined ? undefined : processNamed(guard.pid);
  if (!guardName) throw new Error(`${launch.title} could not be started: ${await refusal(ended)}`);
  const report = readAll(guard.stdio[3] as Readable);
  launch.lock?.record({ guard: guardName });
  input.write('go\n');
  const pid = Number((await report).trim());
  if (!pid) throw new Error(`${launch.title} could not be started: ${await refusal(ended)}`);
  // A child that has ended already has no name in the process table; its pid is still right for messages.
  const child = processNamed(pid) ?? { pid, started: '' };
  launch.lock?.record({ guard: guardName, child, stopSignal: launch.stopSignal });
  return { launch, child, log, ended: ended.then((how) => afterEnd(how, guardName, child, input, log)) };
}

/** A guard that was itself killed leaves the child and the watcher in its process group: they go with it. */
function afterEnd(how: string, guard: ProcessName, child: ProcessName, input: Writable, log: Log): string {
  if (isRunning(child)) signal(-guard.pid, 'SIGKILL');
  input.destroy();
  log.close();
  return how;
}

async function refusal(ended: Promise<string>): Promise<string> {
  try {
    return await ended;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** A shell reports a child that was ended by signal n as 128 + n. */
function howItEnded(status: number): string {
  const name = Object.entries(constants.signals).find(([, number]) => number === status - 128)?.[0];
  return name ?? `exit code ${status}`;
}

async function readAll(stream: Readable): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}
