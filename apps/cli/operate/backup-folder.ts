/**
 * A backup as a folder, which docs/BACKUP.md describes: what a manifest says, and the sums of its files.
 *
 * It is made under another name, and gets its own when all of it is on the disk: a folder of that name is whole.
 */
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { type FileHandle, mkdir, open, readFile, rename, rm } from 'node:fs/promises';
import { basename, dirname, join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { z } from 'zod';

export const FORMAT = 1;
const MANIFEST = 'manifest.json';
/** As `sha256sum -c` reads it. */
const SUMS = 'SHA256SUMS';
const PARTIAL = '.partial';
/** Password hashes, and everything that was said: for its owner only. */
const FOLDER_MODE = 0o700;
const FILE_MODE = 0o600;
const READ_BYTES = 256 * 1024;

const state = z.looseObject({ messages: z.number(), bytes: z.number(), first_seq: z.number(), last_seq: z.number() });
const config = z.looseObject({ name: z.string(), metadata: z.record(z.string(), z.string()).optional() });
const manifestSchema = z.object({
  format: z.literal(FORMAT),
  id: z.string(),
  parley: z.string(),
  natsServer: z.string(),
  startedAt: z.iso.datetime(),
  endedAt: z.iso.datetime(),
  epoch: z.string(),
  partitions: z.int().min(1),
  logSchema: z.string(),
  migrations: z.array(z.string()),
  streams: z.array(z.object({ name: z.string(), file: z.string(), begunAt: z.iso.datetime(), config, state })),
  tables: z.array(z.object({ name: z.string(), file: z.string(), rows: z.int() })),
});
export type Manifest = z.output<typeof manifestSchema>;

/** One line: what is wrong with a backup. */
export class BackupError extends Error {
  override readonly name = 'BackupError';
}

// --- writing

export class NewBackup {
  readonly #sums = new Map<string, string>();

  private constructor(
    private readonly target: string,
    private readonly folder: string,
  ) {}

  /** @throws BackupError when there is something of that name, or of a backup that was interrupted */
  static async create(to: string): Promise<NewBackup> {
    const target = resolve(to);
    if (existsSync(target)) throw new BackupError(`${target} is there already: name another folder`);
    const folder = join(dirname(target), `${basename(target)}${PARTIAL}`);
    await mkdir(dirname(target), { recursive: true });
    try {
      await mkdir(folder, { mode: FOLDER_MODE });
    } catch (cause) {
      throw new BackupError(
        `${folder} cannot be made: another backup runs, or one was interrupted; remove it then (${String(cause)})`,
        { cause },
      );
    }
    return new NewBackup(target, folder);
  }

  async file(name: string): Promise<NewFile> {
    await mkdir(join(this.folder, dirname(name)), { recursive: true, mode: FOLDER_MODE });
    const handle = await open(join(this.folder, name), 'wx', FILE_MODE);
    return new NewFile(handle, (sum) => this.#sums.set(name, sum));
  }

  async remove(name: string): Promise<void> {
    await rm(join(this.folder, name));
    this.#sums.delete(name);
  }

  /** The last step: from now on it is a backup. */
  async finish(manifest: Manifest): Promise<void> {
    await this.#text(MANIFEST, `${JSON.stringify(manifest, undefined, 2)}\n`);
    const lines = [...this.#sums].map(([name, sum]) => `${sum}  ${name}\n`);
    await this.#text(SUMS, lines.join(''));
    await syncFolder(this.folder);
    await rename(this.folder, this.target);
    await syncFolder(dirname(this.target));
  }

  async discard(): Promise<void> {
    await rm(this.folder, { recursive: true, force: true });
  }

  async #text(name: string, text: string): Promise<void> {
    const file = await this.file(name);
    await file.write(Buffer.from(text));
    await file.close();
  }
}

export class NewFile {
  bytes = 0;
  #place = 0;
  #hash = createHash('sha256');

  constructor(
    private readonly handle: FileHandle,
    private readonly closed: (sum: string) => void,
  ) {}

  async write(data: Uint8Array): Promise<void> {
    for (let done = 0; done < data.length;) {
      const { bytesWritten } = await this.handle.write(data, done, data.length - done, this.#place);
      [done, this.#place] = [done + bytesWritten, this.#place + bytesWritten];
    }
    this.#hash.update(data);
    this.bytes += data.length;
  }

  /** Begins the file again. */
  async restart(): Promise<void> {
    await this.handle.truncate(0);
    this.#hash = createHash('sha256');
    [this.bytes, this.#place] = [0, 0];
  }

  async close(): Promise<void> {
    await this.handle.sync();
    await this.handle.close();
    this.closed(this.#hash.digest('hex'));
  }
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  await handle.sync();
  await handle.close();
}

// --- reading

export class StoredBackup {
  private constructor(
    readonly folder: string,
    readonly manifest: Manifest,
    private readonly sums: ReadonlyMap<string, string>,
  ) {}

  /** @throws BackupError when it is no backup, or one that this version cannot read */
  static async open(from: string): Promise<StoredBackup> {
    const folder = resolve(from);
    const text = await textOf(join(folder, MANIFEST), `${folder} is no backup: there is no ${MANIFEST} in it`);
    const sums = await textOf(join(folder, SUMS), `${folder} is no whole backup: there is no ${SUMS} in it`);
    const lines = sums.split('\n').filter((line) => line !== '');
    const pairs = lines.map((line) => [line.slice(66), line.slice(0, 64)] as const);
    return new StoredBackup(folder, manifestOf(folder, text), new Map(pairs));
  }

  /**
   * Reads every file and compares its sum.
   * @returns one line for each that is missing or has changed
   */
  async check(progress: (text: string) => void): Promise<string[]> {
    const wrong: string[] = [];
    const { streams, tables } = this.manifest;
    for (const name of [MANIFEST, ...[...streams, ...tables].map(({ file }) => file)])
      if (!this.sums.has(name)) wrong.push(`${name}: has no sum in ${SUMS}`);
    for (const [name, sum] of this.sums) {
      progress(`reading ${name}`);
      const found = await this.#sumOf(name);
      if (found === undefined) wrong.push(`${name}: is missing`);
      else if (found !== sum) wrong.push(`${name}: has changed since it was written`);
    }
    return wrong;
  }

  bytesOf(name: string): AsyncIterable<Uint8Array> {
    return createReadStream(this.#path(name), { highWaterMark: READ_BYTES });
  }

  linesOf(name: string): AsyncIterable<string> {
    return createInterface({ input: createReadStream(this.#path(name)), crlfDelay: Infinity });
  }

  async #sumOf(name: string): Promise<string | undefined> {
    const path = this.#path(name);
    if (!existsSync(path)) return undefined;
    const hash = createHash('sha256');
    for await (const piece of this.bytesOf(name)) hash.update(piece);
    return hash.digest('hex');
  }

  /** Names come from files that somebody may have changed: none leads out of the folder. */
  #path(name: string): string {
    const path = resolve(this.folder, name);
    if (!path.startsWith(`${this.folder}/`)) throw new BackupError(`${name} is no file of a backup`);
    return path;
  }
}

async function textOf(path: string, otherwise: string): Promise<string> {
  if (!existsSync(path)) throw new BackupError(otherwise);
  return readFile(path, 'utf8');
}

function manifestOf(folder: string, text: string): Manifest {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new BackupError(`${folder}: ${MANIFEST} is not JSON`, { cause });
  }
  const format = typeof value === 'object' && value !== null && 'format' in value ? value.format : undefined;
  if (typeof format === 'number' && format > FORMAT)
    throw new BackupError(`${folder} is a backup of format ${format}, of a newer version: restore it with that`);
  const parsed = manifestSchema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new BackupError(`${folder}: ${MANIFEST} cannot be read: ${z.prettifyError(parsed.error)}`);
}
