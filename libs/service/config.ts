/**
 * Configuration: read once, here, from the environment; nothing else touches `process.env`. Every wrong value is one line
 * that says which variable, what is wrong with it and what it takes.
 */
import { z } from 'zod';
import { COMMAND_SERVICES, LIMITS } from '#contract';

const flag = z.enum(['0', '1', 'true', 'false', 'on', 'off']).transform((value) => ['1', 'true', 'on'].includes(value));
const port = z.coerce.number().int().min(0).max(65_535);
const list = z.string().transform((value) =>
  value
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item.length > 0),
);

const environment = z.object({
  HOST: z.string().default('127.0.0.1'),
  PORT: port.default(3000),
  GRPC_PORT: port.default(50_053),
  /** PEM files; without them gRPC is served in plain text, for a proxy or a mesh that ends TLS. */
  GRPC_TLS_CERT: z.string().min(1).optional(),
  GRPC_TLS_KEY: z.string().min(1).optional(),
  /** Health of the services that have no HTTP of their own (`commands`, `projection`). */
  HEALTH_PORT: port.default(3100),
  PARLEY_HOME: z.string().min(1).default('.parley'),
  PARLEY_DEMO: flag.optional(),
  PARLEY_SYNC: z
    .string()
    .regex(/^(always|off|\d+(ms|s|m))$/, 'takes always, off or a duration such as 10ms')
    .default('always'),
  NATS_URL: list.optional(),
  /** Where the URL does not carry them. */
  NATS_USER: z.string().optional(),
  NATS_PASSWORD: z.string().optional(),
  /** Replicas of the log's streams: 1, 3 or 5. */
  NATS_REPLICAS: z.coerce
    .number()
    .pipe(z.union([z.literal(1), z.literal(3), z.literal(5)]))
    .default(1),
  DATABASE_URL: z
    .string()
    .regex(/^postgres(ql)?:\/\//, 'takes postgres://user:password@host:port/name')
    .optional(),
  DATABASE_READ_URLS: list.optional(),
  JWT_SECRET: z.string().min(1).optional(),
  /** The secret before: its tokens are taken until it is taken out, so that a change signs nobody out. */
  JWT_SECRET_PREVIOUS: z.string().min(1).optional(),
  JWKS_URL: z.url().optional(),
  COMMANDS: list.pipe(z.array(z.enum(COMMAND_SERVICES)).min(1)).optional(),
  PARTITIONS: z.coerce.number().int().min(1).max(LIMITS.partitions).default(4),
  RETRY_ATTEMPTS: z.coerce.number().int().min(1).max(100).default(5),
  ROOM_SUBSCRIBERS_MAX: z.coerce.number().int().min(1).default(LIMITS.roomSubscribersPerGateway),
  SEND_STALL_MS: z.coerce.number().int().min(1).default(1_000),
  ROOMS_ON_JOIN: flag.optional(),
  RATE_LIMITS: z.enum(['on', 'off']).default('on'),
  /** Origins that browsers may come from, besides the page's own; `*` for any. */
  ORIGINS: list.default([]),
  /** Whether POST /api/connections answers without a token outside of demo mode. */
  CONNECTIONS_PUBLIC: flag.default(false),
  /** Proxies in front whose X-Forwarded-For is believed (Fastify `trustProxy`): a number of hops. */
  TRUST_PROXY_HOPS: z.coerce.number().int().min(0).max(10).default(0),
  LOG_LEVEL: z.enum(['error', 'warn', 'log', 'debug']).default('log'),
  LOG_FORMAT: z.enum(['text', 'json']).default('text'),
});

/** What a message about a wrong value never repeats: they hold passwords, and messages go to logs. */
const SECRETS: ReadonlySet<string> = new Set([
  'DATABASE_READ_URLS',
  'DATABASE_URL',
  'JWKS_URL',
  'JWT_SECRET',
  'JWT_SECRET_PREVIOUS',
  'NATS_PASSWORD',
  'NATS_URL',
]);

const MINUTE_MS = 60_000;
/** A shared secret shorter than this is only good for a demo on loopback. */
const SECRET_BYTES_MIN = 32;
const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost']);

export type IdentitySource = 'accounts' | 'secret' | 'jwks' | 'demo';

export interface Config {
  readonly host: string;
  readonly port: number;
  readonly grpcPort: number;
  readonly grpcTls: { readonly certFile: string; readonly keyFile: string } | undefined;
  readonly healthPort: number;
  readonly home: string;
  /** Demo users, rooms and guests; only ever with every listener on loopback. */
  readonly demo: boolean;
  readonly sync: string;
  readonly natsUrls: readonly string[];
  readonly natsUser: string | undefined;
  readonly natsPassword: string | undefined;
  readonly natsReplicas: 1 | 3 | 5;
  readonly databaseUrl: string | undefined;
  readonly databaseReadUrls: readonly string[];
  readonly jwtSecret: string | undefined;
  /** Taken as well, and signs nothing. */
  readonly jwtSecretPrevious: string | undefined;
  readonly jwksUrl: string | undefined;
  /** Exactly one source of identity; `demo` has own accounts and, if given, a shared secret side by side. */
  readonly identity: IdentitySource;
  readonly commands: readonly (typeof COMMAND_SERVICES)[number][];
  readonly partitions: number;
  readonly retryAttempts: number;
  readonly roomSubscribersMax: number;
  readonly sendStallMs: number;
  readonly roomsOnJoin: boolean;
  readonly rateLimits: boolean;
  readonly origins: readonly string[];
  readonly connectionsPublic: boolean;
  readonly trustProxyHops: number;
  readonly accessTokenMs: number;
  readonly refreshTokenMs: number;
  readonly logLevel: 'error' | 'warn' | 'log' | 'debug';
  readonly logFormat: 'text' | 'json';
}

/** A wrong configuration: `message` is one line for the operator. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

/**
 * Reads the configuration from an environment.
 * @throws ConfigError naming the variable, the fault and what it takes
 */
export function loadConfig(env: Readonly<Record<string, string | undefined>> = process.env): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value !== ''));
  const parsed = environment.safeParse(given);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const variable = String(issue?.path[0]);
    const named = SECRETS.has(variable) ? variable : `${variable}=${String(given[variable])}`;
    throw new ConfigError(`${named}: ${issue?.message ?? 'wrong value'}`);
  }
  const e = parsed.data;
  const loopback = LOOPBACK.has(e.HOST);
  const demo = e.PARLEY_DEMO ?? false;
  if (demo && !loopback)
    throw new ConfigError(`PARLEY_DEMO=1 lets anyone act as a demo user: it needs HOST=127.0.0.1, not ${e.HOST}`);
  return {
    host: e.HOST,
    port: e.PORT,
    grpcPort: e.GRPC_PORT,
    grpcTls: grpcTls(e),
    healthPort: e.HEALTH_PORT,
    home: e.PARLEY_HOME,
    demo,
    sync: e.PARLEY_SYNC,
    natsUrls: e.NATS_URL ?? [],
    natsUser: e.NATS_USER,
    natsPassword: e.NATS_PASSWORD,
    natsReplicas: e.NATS_REPLICAS,
    databaseUrl: e.DATABASE_URL,
    databaseReadUrls: e.DATABASE_READ_URLS ?? [],
    jwtSecret: e.JWT_SECRET,
    jwtSecretPrevious: e.JWT_SECRET_PREVIOUS,
    jwksUrl: e.JWKS_URL,
    identity: identitySource(e, demo),
    commands: e.COMMANDS ?? [...COMMAND_SERVICES],
    partitions: e.PARTITIONS,
    retryAttempts: e.RETRY_ATTEMPTS,
    roomSubscribersMax: e.ROOM_SUBSCRIBERS_MAX,
    sendStallMs: e.SEND_STALL_MS,
    roomsOnJoin: e.ROOMS_ON_JOIN ?? demo,
    rateLimits: e.RATE_LIMITS === 'on',
    origins: e.ORIGINS,
    connectionsPublic: e.CONNECTIONS_PUBLIC || demo,
    trustProxyHops: e.TRUST_PROXY_HOPS,
    accessTokenMs: 15 * MINUTE_MS,
    refreshTokenMs: 30 * 24 * 60 * MINUTE_MS,
    logLevel: e.LOG_LEVEL,
    logFormat: e.LOG_FORMAT,
  };
}

function grpcTls({ GRPC_TLS_CERT: certFile, GRPC_TLS_KEY: keyFile }: z.output<typeof environment>): Config['grpcTls'] {
  if (certFile !== undefined && keyFile !== undefined) return { certFile, keyFile };
  if (certFile === undefined && keyFile === undefined) return undefined;
  throw new ConfigError('GRPC_TLS_CERT and GRPC_TLS_KEY go together: set both, or neither for plain text');
}

function identitySource(e: z.output<typeof environment>, demo: boolean): IdentitySource {
  if (e.JWT_SECRET_PREVIOUS !== undefined && e.JWT_SECRET === undefined)
    throw new ConfigError('JWT_SECRET_PREVIOUS is the secret before JWT_SECRET, which is not set');
  if (e.JWT_SECRET !== undefined && e.JWKS_URL !== undefined)
    throw new ConfigError('JWT_SECRET and JWKS_URL are both set: exactly one source of identity may be on');
  if (demo) {
    if (e.JWKS_URL !== undefined)
      throw new ConfigError('JWKS_URL does not go with PARLEY_DEMO=1, which has accounts of its own');
    return 'demo';
  }
  if (e.JWKS_URL !== undefined) return 'jwks';
  if (e.JWT_SECRET === undefined) return 'accounts';
  for (const variable of ['JWT_SECRET', 'JWT_SECRET_PREVIOUS'] as const)
    if (Buffer.byteLength(e[variable] ?? e.JWT_SECRET) < SECRET_BYTES_MIN)
      throw new ConfigError(`${variable} has to have at least ${SECRET_BYTES_MIN} bytes outside of demo mode`);
  return 'secret';
}
