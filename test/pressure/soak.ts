/**
 * `npm run soak -- --minutes 30 [--nodes 3] [--people 60] [--report file.md]`: the platform as processes under churn, and whether its
 * memory stays flat. Exit code 1 when a process rises, a promise is broken, or a process ends by itself.
 */
import { writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { freePort, waitUntil } from '#embedded';
import { withLog } from '../log.js';
import { startSplit, type Split } from '../platform.js';
import { Churn } from './churn.js';
import { rowOf, table, type Row, type Series } from './soak-report.js';
import { Inspector, inspected, residentBytes } from './watched-process.js';

const PARTITIONS = 4;
const SAMPLE_EVERY_MS = 10_000;
/** Of the time, at most: pools, caches and just-in-time code fill up meanwhile. */
const WARM_UP_SHARE = 0.2;
const WARM_UP_MAX_MS = 240_000;
const SERVICES = ['commands', 'projection', 'gateway', 'api'].flatMap((app) => [`${app}-1`, `${app}-2`]);

interface Options {
  readonly minutes: number;
  readonly nodes: 1 | 3;
  readonly people: number;
  readonly report: string | undefined;
}

interface Watched {
  readonly name: string;
  readonly kind: Series['kind'];
  readonly pid: number;
  readonly inspector: Inspector | undefined;
  readonly series: { resident: Series['resident'][number][]; heap: Series['heap'][number][]; p99: number; max: number };
  heapAtRest: number;
}

async function main(): Promise<boolean> {
  const options = optionsFrom(process.argv.slice(2));
  const ports = new Map<string, number>();
  for (const name of SERVICES) ports.set(name, await freePort());
  const envOf = Object.fromEntries([...ports].map(([name, port]) => [name, inspected(port)]));
  say(`starting: ${SERVICES.length} services, ${options.nodes} nats-server, PostgreSQL`);
  const platform = await startSplit({ nodes: options.nodes, env: { RATE_LIMITS: 'on' }, envOf });
  const watched = await watch(platform, (name) => ports.get(name) ?? 0);
  const gateways = platform.sockets.map((url) => url.replace(/^ws(.*)\/ws$/, 'http$1'));
  const churn = new Churn({ url: platform.url, gateways, grpc: platform.grpc }, options.people);
  try {
    await churn.begin();
    const lastedMs = await soak(churn, watched, options.minutes * 60_000);
    const faults = await withLog(platform.natsUrls(), PARTITIONS, async (log) => {
      await churn.end(log);
      return [...churn.faults, ...(await churn.ledger.compare(log)), ...(await churn.compareShown())];
    });
    churn.stop();
    await rest(watched);
    const rows = watched.map(({ name, kind, heapAtRest, series: { resident, heap, p99, max } }) =>
      rowOf({ name, kind, resident, heap, heapAtRest, loopP99Ms: p99, loopMaxMs: max }),
    );
    return tell(options, { lastedMs, churn, rows, faults: [...faults, ...platform.unexpected] });
  } finally {
    churn.stop();
    for (const { inspector } of watched) inspector?.close();
    await platform.stop();
  }
}

function optionsFrom(args: readonly string[]): Options {
  const text = { type: 'string' } as const;
  const options = { minutes: text, nodes: text, people: text, report: text };
  const { values } = parseArgs({ args: [...args], options });
  const minutes = Number(values.minutes ?? 30);
  const people = Number(values.people ?? 60);
  if (!(minutes >= 1) || !(people >= 6)) throw new Error('--minutes takes at least 1, --people at least 6');
  if (values.nodes !== undefined && values.nodes !== '1' && values.nodes !== '3')
    throw new Error('--nodes takes 1 or 3');
  return { minutes, people, nodes: values.nodes === '3' ? 3 : 1, report: values.report };
}

async function watch(platform: Split, inspectorPort: (name: string) => number): Promise<Watched[]> {
  const none = () => ({ resident: [], heap: [], p99: 0, max: 0 });
  const ours = [...platform.services].map(async ([name, { pid }]): Promise<Watched> => {
    return {
      name,
      kind: 'service',
      pid,
      inspector: await Inspector.open(inspectorPort(name)),
      series: none(),
      heapAtRest: 0,
    };
  });
  const { nats } = platform;
  const brokers = 'nodes' in nats ? nats.nodes : [nats];
  const others = [
    ...brokers.map(({ pid }, i) => ({ name: `nats-server-${i + 1}`, kind: 'nats-server', pid }) as const),
    { name: 'PostgreSQL', kind: 'PostgreSQL', pid: platform.postgres.pid } as const,
  ];
  return [
    ...(await Promise.all(ours)),
    ...others.map((each) => ({ ...each, inspector: undefined, series: none(), heapAtRest: 0 })),
  ];
}

/** @returns how long it was, ms */
async function soak(churn: Churn, watched: readonly Watched[], durationMs: number): Promise<number> {
  const startMs = performance.now();
  const warmUpMs = Math.min(WARM_UP_MAX_MS, durationMs * WARM_UP_SHARE);
  return new Promise((resolve, reject) => {
    let sampling = false;
    const timer = setInterval(() => {
      const atMs = performance.now() - startMs;
      if (sampling) return;
      sampling = true;
      sample(watched, atMs, atMs >= warmUpMs)
        .then((line) => say(`${(atMs / 60_000).toFixed(1)} min, ${churn.connected} people, ${line}${trouble(churn)}`))
        .then(() => {
          sampling = false;
          if (atMs < durationMs) return;
          clearInterval(timer);
          resolve(atMs);
        })
        .catch((error: unknown) => {
          clearInterval(timer);
          reject(error instanceof Error ? error : new Error(String(error)));
        });
    }, SAMPLE_EVERY_MS);
  });
}

const trouble = ({ faults }: Churn): string =>
  faults.length === 0 ? '' : `, ${faults.length} faults: ${faults.at(-1)}`;

/** One process after the other, so that their collections do not come together. */
async function sample(watched: readonly Watched[], atMs: number, counts: boolean): Promise<string> {
  const shown: string[] = [];
  for (const { name, pid, inspector, series } of watched) {
    const resident = residentBytes(pid);
    const health = await inspector?.look();
    shown.push(`${name} ${short(resident)}${health === undefined ? '' : `/${short(health.heapBytes)}`}`);
    if (!counts) continue;
    series.resident.push({ atMs, value: resident });
    if (health === undefined) continue;
    series.heap.push({ atMs, value: health.heapBytes });
    series.p99 = Math.max(series.p99, health.loopP99Ms);
    series.max = Math.max(series.max, health.loopMaxMs);
  }
  return shown.join(' ');
}

/** A gateway lets a room go when nobody has read it for a minute. */
const REST_MS = 75_000;

async function rest(watched: readonly Watched[]): Promise<void> {
  say(`everybody has gone; ${REST_MS / 1_000} s later:`);
  const atMs = performance.now();
  await waitUntil('rooms are let go', 2 * REST_MS, () => performance.now() - atMs > REST_MS);
  for (const each of watched) each.heapAtRest = (await each.inspector?.look())?.heapBytes ?? 0;
}

interface Outcome {
  readonly lastedMs: number;
  readonly churn: Churn;
  readonly rows: readonly Row[];
  readonly faults: readonly string[];
}

function tell({ minutes, nodes, people, report }: Options, { lastedMs, churn, rows, faults }: Outcome): boolean {
  const { counts, ledger } = churn;
  const rising = rows.filter(({ flat }) => !flat).map(({ name }) => name);
  const [cpu] = cpus();
  const done = Object.entries({ ...counts, unknown: ledger.count('unknown') }).map(
    ([what, times]) => `${times} ${what}`,
  );
  const text = [
    `\`npm run soak -- --minutes ${minutes}${nodes === 3 ? ' --nodes 3' : ''} --people ${people}\``,
    `${(lastedMs / 60_000).toFixed(1)} minutes, ${nodes} nats-server, Node ${process.versions.node}, ${cpus().length} x ${cpu?.model ?? 'unknown'}`,
    table(rows),
    done.join(', '),
    faults.length === 0 ? 'No fault.' : `${faults.length} faults:\n${faults.slice(0, 20).join('\n')}`,
    rising.length === 0 ? 'Every service is flat.' : `Rising: ${rising.join(', ')}`,
  ].join('\n\n');
  say(`\n${text}`);
  if (report !== undefined) writeFileSync(report, `${text}\n`);
  return faults.length === 0 && rising.length === 0;
}

const short = (bytes: number): string => (bytes / 1024 / 1024).toFixed(0);

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}

process.exitCode = (await main()) ? 0 : 1;
