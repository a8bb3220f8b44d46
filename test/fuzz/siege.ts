/** A platform under attack: started for it, asked afterwards whether it is what it was. */
import { readdirSync, readFileSync } from 'node:fs';
import { connect } from '@nats-io/transport-node';
import fc from 'fast-check';
import { freePort, natsOptions, waitUntil } from '#embedded';
import { checkNothingUndescribed } from '../described.js';
import { embeddedNats, SECRET, startStandalone, tokenFor } from '../platform.js';
import { outOfTheLog, overTheWire, type Attack } from './attacks.js';
import { strike } from './strike.js';
import type { Target } from './target.js';

const PARTITIONS = 2;
/** Attacks that are under way at the same time. */
const ABREAST = 8;
/** Until what was opened is closed again. */
const CALM_MS = 60_000;
/** Descriptors that pools and keep-alives may still hold. */
const HANDLES_SPARE = 40;
/** Of an attack that is shown. */
const SHOWN_CHARACTERS = 600;
const MEMORY_SPARE_BYTES = 400 * 1024 * 1024;

export interface Round {
  readonly seed: number;
  readonly attacks: number;
  /** Of a failure: what reruns it alone. */
  readonly path?: string;
}

export interface Siege {
  /** Attacks with this seed, as many as asked. @returns what is wrong, with the smallest attack that shows it; '' for nothing */
  round(round: Round): Promise<string>;
  /** Whether the platform still serves, and has given back what it held. @returns what is wrong */
  calm(): Promise<string>;
  readonly counts: ReadonlyMap<string, number>;
  stop(): Promise<void>;
}

export async function startSiege(): Promise<Siege> {
  const env = {
    RATE_LIMITS: 'off',
    ROOMS_ON_JOIN: 'true',
    RETRY_ATTEMPTS: '1',
    PARTITIONS: String(PARTITIONS),
    PARLEY_SYNC: 'off',
  };
  const grpcPort = { GRPC_PORT: String(await freePort()) };
  const platform = await startStandalone({ ...env, ...grpcPort, JWT_SECRET: SECRET });
  const nats = await connect(natsOptions([embeddedNats(platform)]));
  const token = tokenFor('ann');
  const target: Target = {
    http: platform.url,
    socket: platform.sockets[0]!,
    grpc: `127.0.0.1:${grpcPort.GRPC_PORT}`,
    token,
    nats,
    partitions: PARTITIONS,
  };
  const http = platform.http.as(token);
  await http.post('/api/rooms', { id: 'fuzz', name: 'Fuzz' });
  await http.post('/api/rooms/fuzz/messages', { content: 'the first' });
  const counts = new Map<string, number>();
  let calms = 0;
  const { pid } = platform.process;
  const handles = (): number => readdirSync(`/proc/${pid}/fd`).length;
  const base = { handles: handles(), bytes: residentBytes(pid) };

  const still = async (): Promise<void> => {
    const answer = await http.get('/health/live');
    if (answer.status !== 200 || platform.process.pid !== pid)
      throw new Error(`the platform is not what it was: ${answer.text}`);
  };

  return {
    counts,
    async round({ seed, attacks, path }) {
      const property = fc.asyncProperty(
        fc.array(fc.oneof({ weight: 12, arbitrary: overTheWire }, { weight: 1, arbitrary: outOfTheLog }), {
          minLength: 1,
          maxLength: ABREAST,
          size: 'max',
        }),
        async (all) => {
          for (const { by } of all) counts.set(by, (counts.get(by) ?? 0) + 1);
          const wrong = (await Promise.all(all.map((attack) => strike(target, attack)))).filter(Boolean);
          await still();
          checkNothingUndescribed();
          if (wrong.length > 0) throw new Error(wrong.join('\n'));
        },
      );
      const numRuns = Math.max(1, Math.round(attacks / (ABREAST / 2)));
      const found = await fc.check(property, {
        seed,
        numRuns,
        ...(path === undefined ? {} : { path }),
        interruptAfterTimeLimit: 600_000,
      });
      return found.failed ? told(found) : '';
    },
    async calm() {
      await still();
      // In a room of their own, which no attack can have closed.
      const calm = platform.http.as(tokenFor('calm'));
      const roomId = `calm-${++calms}`;
      await calm.post('/api/rooms', { roomId, name: 'Calm' });
      const sent = await calm.post(`/api/rooms/${roomId}/messages`, { content: 'still here' });
      if (sent.status !== 202) return `a message is answered ${sent.status} ${sent.text}`;
      const read = await calm.get(`/api/rooms/${roomId}/messages?limit=1&position=${String(sent.json['position'])}`);
      if (!read.text.includes('still here')) return `a message is not read back: ${read.status} ${read.text}`;
      await waitUntil('handles are given back', CALM_MS, () => handles() <= base.handles + HANDLES_SPARE);
      await waitUntil('readers are gone', CALM_MS, async () =>
        / 0 readers|"0 readers/.test((await http.get('/health/ready')).text),
      );
      const grown = residentBytes(pid) - base.bytes;
      if (grown > MEMORY_SPARE_BYTES) return `memory has grown by ${grown} bytes`;
      const bad = platform
        .logs()
        .split('\n')
        .filter((line) => /unhandled|uncaught|RangeError|TypeError/i.test(line));
      return bad.slice(0, 5).join('\n');
    },
    async stop() {
      await nats.close();
      await platform.stop();
    },
  };
}

const residentBytes = (pid: number): number =>
  Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) * 1024;

/** The smallest attacks that were found, in a form that a terminal can show; the path makes them again whole. */
function told({ seed, counterexample, counterexamplePath, errorInstance }: fc.RunDetails<[Attack[]]>): string {
  const attacks = (counterexample?.[0] ?? []).map((attack) => {
    const shown = JSON.stringify(attack, (_, value: unknown) =>
      isBytes(value) ? Buffer.from(value.data).toString('latin1') : value,
    );
    return shown.length > SHOWN_CHARACTERS ? `${shown.slice(0, SHOWN_CHARACTERS)}... (${shown.length})` : shown;
  });
  const again = `npm run fuzz -- --seed ${seed} --path ${counterexamplePath}`;
  return [String(errorInstance), ...attacks, `Again: ${again}`].join('\n');
}

const isBytes = (value: unknown): value is { data: number[] } =>
  typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer' && 'data' in value;
