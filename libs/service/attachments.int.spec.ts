/** Files in the object store of a real nats-server. */
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { jetstreamManager } from '@nats-io/jetstream';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { BUCKETS, DomainError, LIMITS } from '#contract';
import { type NatsServer, startNatsServer, temporaryFolder } from '#embedded';
import { makeBuckets } from './buckets.js';
import { Attachments, attachmentType } from './attachments.js';

let folder: Awaited<ReturnType<typeof temporaryFolder>>;
let server: NatsServer;
let nats: NatsConnection;
let files: Attachments;

beforeAll(async () => {
  folder = await temporaryFolder('attachments');
  server = await startNatsServer({ storeDir: folder.path, sync: 'off' });
  nats = await connect({ servers: server.url });
  await makeBuckets(nats, 1);
  files = new Attachments(nats);
});
afterAll(async () => {
  await nats?.close();
  await server?.stop();
  await folder?.remove();
});

const about = { filename: 'a.bin', contentType: 'application/octet-stream', roomId: 'room1', uploadedBy: 'ann' };

async function* pieces(...each: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* each;
}

async function whole(id: string): Promise<Buffer | undefined> {
  const bytes = await files.bytes(id);
  if (bytes === undefined) return undefined;
  const parts: Uint8Array[] = [];
  for await (const part of bytes) parts.push(part);
  return Buffer.concat(parts);
}

/** What the store holds, in messages. */
async function stored(): Promise<number> {
  const { state } = await (await jetstreamManager(nats)).streams.info(`OBJ_${BUCKETS.attachments}`);
  return state.messages;
}

describe('a file', () => {
  test('is stored with whose it is, and comes back byte for byte', async () => {
    const bytes = randomBytes(1_000_000);
    const { id, ...rest } = await files.put(about, pieces(bytes.subarray(0, 10), bytes.subarray(10)));
    expect(rest).toEqual({ ...about, sizeBytes: bytes.length });
    expect(await files.info(id)).toEqual({ id, ...about, sizeBytes: bytes.length });
    expect((await whole(id))?.equals(bytes)).toBe(true);
  });

  test('that breaks off leaves nothing behind, and fails as its pieces did', async () => {
    const before = await stored();
    async function* broken(): AsyncGenerator<Buffer> {
      yield randomBytes(500_000);
      throw new DomainError('forbidden', 'no more');
    }
    await expect(files.put(about, broken())).rejects.toThrow('no more');
    expect(await stored()).toBe(before);
  });

  test('that is too large is refused before all of it has come, and leaves nothing behind', async () => {
    const before = await stored();
    let given = 0;
    async function* endless(): AsyncGenerator<Buffer> {
      for (const piece = Buffer.alloc(1024 * 1024); ; given += piece.length) yield piece;
    }
    await expect(files.put(about, endless())).rejects.toMatchObject({ code: 'too_large' });
    expect(given).toBeLessThan(LIMITS.attachmentBytes + 4 * 1024 * 1024);
    expect(await stored()).toBe(before);
  });

  test('may be left in the middle', async () => {
    const { id } = await files.put(about, pieces(randomBytes(2_000_000)));
    for await (const part of (await files.bytes(id)) ?? []) {
      expect(part.length).toBeGreaterThan(0);
      break;
    }
    expect((await whole(id))?.length).toBe(2_000_000);
  });

  test('that nobody stored is not there', async () => {
    expect(await files.info('file_00000000-0000-0000-0000-000000000000')).toBeUndefined();
    expect(await files.info('*')).toBeUndefined();
  });

  test('cannot be asked for while the store is away', async () => {
    const own = await connect({ servers: server.url });
    const gone = new Attachments(own);
    await own.close();
    const id = 'file_00000000-0000-0000-0000-000000000000';
    await expect(gone.info(id)).rejects.toMatchObject({ code: 'unavailable' });
    await expect(gone.put(about, pieces(Buffer.from('x')))).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('a content type', () => {
  test.each([
    ['', 'application/octet-stream'],
    ['Text/Plain; charset=utf-8', 'text/plain'],
    ['image/png', 'image/png'],
    [
      'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
      'application/vnd.openxmlformats-officedocument.wordprocessingml.document',
    ],
  ])('%j is taken as %s', (given, type) => expect(attachmentType(given)).toBe(type));

  test.each(['text/html', 'image/svg+xml', 'application/javascript', 'application/xhtml+xml', 'x', 'image/', 'a/b/c'])(
    '%s is refused',
    (given) => expect(() => attachmentType(given)).toThrow('content_type: this type of file is not allowed'),
  );
});
