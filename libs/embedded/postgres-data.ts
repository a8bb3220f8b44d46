import { execFile } from 'node:child_process';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { inheritedEnvironment } from './environment.js';
import { barrier, canReach, giveTo, type Account } from './postgres-account.js';
import { moveUnlessThere, reachableCache, type PostgresBinaries } from './postgres-binary.js';

/**
 * A data folder holds `data` (PostgreSQL's own), `password` and `owner.json`. It starts as a copy of a template that initdb made
 * once per machine in the cache folder: a copy takes a tenth of initdb's time. The password is random and came with the
 * template; who can read it can read the data too.
 */
export const SUPERUSER = 'parley';

export interface PostgresData {
  /** The real path of PostgreSQL's own folder. */
  readonly data: string;
  readonly password: string;
}

const INITDB_TIMEOUT_MS = 120_000;
/** Where data goes that PostgreSQL's account could not reach under its own name (a clone under /root). */
const OPEN_PLACE = '/var/lib/parley';
const run = promisify(execFile);

export async function prepareData(
  dataDir: string,
  binaries: PostgresBinaries,
  account: Account | undefined,
): Promise<PostgresData> {
  const data = join(dataDir, 'data');
  const passwordFile = join(dataDir, 'password');
  giveTo(dataDir, account);
  if (!existsSync(data)) {
    const template = await templateFolder(binaries, account);
    const place = placeFor(dataDir, account);
    // Without its link whatever an earlier clone of this path left there has no owner any more.
    if (place !== data) rmSync(place, { recursive: true, force: true });
    writeFileSync(passwordFile, readFileSync(join(template, 'password')), { mode: 0o600 });
    await copyFolder(join(template, 'data'), place, account, binaries);
    if (place !== data) link(place, data);
  }
  requireVersion(data, binaries);
  return { data: realpathSync(data), password: readFileSync(passwordFile, 'utf8') };
}

function placeFor(dataDir: string, account: Account | undefined): string {
  if (canReach(dataDir, account)) return join(dataDir, 'data');
  const name = createHash('sha256').update(dataDir).digest('hex').slice(0, 16);
  try {
    mkdirSync(OPEN_PLACE, { recursive: true, mode: 0o755 });
  } catch (error) {
    const where = account && barrier(dataDir, account);
    throw new Error(
      `PostgreSQL does not run as root, and its user cannot enter ${where}: chmod o+x ${where}, or set DATABASE_URL`,
      { cause: error },
    );
  }
  return join(OPEN_PLACE, name);
}

function link(place: string, data: string): void {
  if (lstatSync(data, { throwIfNoEntry: false })?.isSymbolicLink() && readlinkSync(data) !== place) rmSync(data);
  if (!lstatSync(data, { throwIfNoEntry: false })) symlinkSync(place, data);
}

/** Whole or not at all: a copy that was interrupted is never taken for data, and what is taken for data is on the disk. */
async function copyFolder(
  from: string,
  to: string,
  account: Account | undefined,
  binaries: PostgresBinaries,
): Promise<void> {
  const draft = `${to}.draft`;
  rmSync(draft, { recursive: true, force: true });
  mkdirSync(draft, { mode: 0o700 });
  giveTo(draft, account);
  await run('cp', ['-Rp', `${from}/.`, draft], { ...account, env: inheritedEnvironment(), cwd: '/' });
  // What lies in the temporary folder need not outlive a power cut, and specs make many.
  if (!to.startsWith(tmpdir())) await initdb(binaries, ['--sync-only', `--pgdata=${draft}`], account);
  renameSync(draft, to);
}

/** Where the template is; makes it the first time. */
export async function templateFolder(binaries: PostgresBinaries, account: Account | undefined): Promise<string> {
  const user = account?.uid ?? process.getuid?.() ?? 0;
  const template = join(reachableCache(account), `postgres-template-${binaries.version}-${user}`);
  if (existsSync(template)) return template;
  const draft = join(dirname(template), `draft-${randomUUID()}`);
  mkdirSync(draft, { mode: 0o700 });
  giveTo(draft, account);
  try {
    const password = join(draft, 'password');
    writeFileSync(password, randomBytes(24).toString('base64url'), { mode: 0o600 });
    giveTo(password, account);
    await initialise(binaries, join(draft, 'data'), password, account);
    moveUnlessThere(draft, template);
  } finally {
    rmSync(draft, { recursive: true, force: true });
  }
  return template;
}

/** `builtin` C.UTF-8 sorts by code point and is the same on every machine: no index breaks when a system library changes. */
async function initialise(
  binaries: PostgresBinaries,
  data: string,
  password: string,
  account: Account | undefined,
): Promise<void> {
  const options = [
    `--pgdata=${data}`,
    `--username=${SUPERUSER}`,
    `--pwfile=${password}`,
    '--auth=scram-sha-256',
    '--encoding=UTF8',
    '--locale-provider=builtin',
    '--builtin-locale=C.UTF-8',
    '--locale=C',
    // 192 random bits need no stretching, and every connection of every test would pay for it.
    '--set=scram_iterations=1',
    '--no-instructions',
  ];
  await initdb(binaries, options, account);
}

async function initdb(
  binaries: PostgresBinaries,
  options: readonly string[],
  account: Account | undefined,
): Promise<void> {
  try {
    const env = { ...inheritedEnvironment(), LC_ALL: 'C' };
    await run(binaries.initdb, options, { ...account, env, cwd: '/', timeout: INITDB_TIMEOUT_MS });
  } catch (error) {
    const said = error as { stderr?: string; code?: unknown; message: string };
    if (said.code === 'ENOENT') {
      throw new Error('PostgreSQL cannot run on this system (it needs glibc, not musl): set DATABASE_URL', {
        cause: error,
      });
    }
    const reason = said.stderr?.split('\n').find((line) => /error|FATAL|not found|cannot/i.test(line));
    throw new Error(`PostgreSQL's initdb failed: ${reason ?? said.message}`, { cause: error });
  }
}

function requireVersion(data: string, binaries: PostgresBinaries): void {
  const found = readFileSync(join(data, 'PG_VERSION'), 'utf8').trim();
  const ours = binaries.version.split('.')[0];
  if (found === ours) return;
  throw new Error(
    `the data in ${data} is PostgreSQL ${found}'s, this is ${ours}: restore a dump of it, or remove the folder to begin anew`,
  );
}
