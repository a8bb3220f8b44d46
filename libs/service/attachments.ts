/**
 * Files in JetStream's object store: one bucket, one object a file, cut into pieces that are synced one by one. Whose room a file belongs to
 * stands in its metadata; who may read it is for the edge to ask. A file is there when all of it is: an upload that breaks
 * off leaves nothing behind.
 */
import { randomUUID } from 'node:crypto';
import type { NatsConnection } from '@nats-io/transport-node';
import type { ObjectStore } from '@nats-io/obj';
import { DomainError, LIMITS } from '#contract';
import { openAttachmentStore } from './buckets.js';

/** What nobody's browser runs when it is opened: pictures, sound, film, plain text, documents, archives; never markup or scripts. */
const ALLOWED_FAMILIES = new Set(['image', 'audio', 'video', 'font']);
const REFUSED = new Set(['image/svg+xml']);
const ALLOWED = new Set([
  'text/plain',
  'text/csv',
  'text/markdown',
  'application/octet-stream',
  'application/pdf',
  'application/json',
  'application/zip',
  'application/gzip',
  'application/x-tar',
  'application/rtf',
  'application/msword',
  'application/vnd.ms-excel',
  'application/vnd.ms-powerpoint',
]);
const ALLOWED_PREFIXES = ['application/vnd.openxmlformats-officedocument.', 'application/vnd.oasis.opendocument.'];
/** Half of what the broker takes at once: each piece costs a sync of its disk. */
const PIECE_BYTES = 512 * 1024;
const DEFAULT_TYPE = 'application/octet-stream';
const CONTENT_TYPE = /^[a-z0-9][a-z0-9!#$&^_.+-]{0,63}\/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}$/;
const FILE_ID = /^file_[0-9a-f-]{36}$/;

export interface AttachmentInfo {
  readonly id: string;
  readonly filename: string;
  readonly contentType: string;
  readonly sizeBytes: number;
  readonly roomId: string;
  readonly uploadedBy: string;
}

export type NewAttachment = Omit<AttachmentInfo, 'id' | 'sizeBytes'>;

/**
 * A content type as it is stored: lower-cased, without parameters.
 * @param given empty for none
 * @throws DomainError `invalid_body` for what is no content type or not allowed
 */
export function attachmentType(given: string): string {
  const type = (given.split(';')[0] ?? '').trim().toLowerCase() || DEFAULT_TYPE;
  const [family = ''] = type.split('/');
  const allowed =
    CONTENT_TYPE.test(type) &&
    !REFUSED.has(type) &&
    (ALLOWED_FAMILIES.has(family) || ALLOWED.has(type) || ALLOWED_PREFIXES.some((prefix) => type.startsWith(prefix)));
  if (!allowed) throw new DomainError('invalid_body', 'content_type: this type of file is not allowed');
  return type;
}

export class Attachments {
  private opening: Promise<ObjectStore> | undefined;

  constructor(private readonly nats: NatsConnection) {}

  /**
   * Stores a file as it comes, a piece at a time.
   * @throws DomainError `too_large`, `unavailable`, or what `pieces` throws; nothing is left of the file then
   */
  async put(file: NewAttachment, pieces: AsyncIterable<Uint8Array>): Promise<AttachmentInfo> {
    const id = `file_${randomUUID()}`;
    const { filename, contentType, roomId, uploadedBy } = file;
    let failure: Error | undefined;
    const watched = limited(pieces, (error) => (failure = error));
    try {
      const store = await this.store();
      const stored = await store.put(
        {
          name: id,
          options: { max_chunk_size: PIECE_BYTES },
          metadata: { filename, contentType, roomId, uploadedBy },
        },
        ReadableStream.from(watched) as globalThis.ReadableStream<Uint8Array>,
      );
      return { id, ...file, sizeBytes: stored.size };
    } catch (error) {
      if (failure !== undefined) throw failure;
      throw new DomainError('unavailable', undefined, { cause: error });
    }
  }

  /**
   * What is known of a file; undefined when there is none.
   * @throws DomainError `unavailable`
   */
  async info(id: string): Promise<AttachmentInfo | undefined> {
    if (!FILE_ID.test(id)) return undefined;
    const found = await this.ask((store) => store.info(id));
    if (found === null || found.deleted) return undefined;
    const { filename = '', contentType = DEFAULT_TYPE, roomId = '', uploadedBy = '' } = found.metadata ?? {};
    return { id, filename, contentType, roomId, uploadedBy, sizeBytes: found.size };
  }

  /**
   * A file's bytes, as they come from the store; undefined when it has gone.
   * @throws DomainError `unavailable`
   */
  async bytes(id: string): Promise<AsyncIterable<Uint8Array> | undefined> {
    const found = await this.ask((store) => store.get(id));
    return found === null ? undefined : readable(found.data);
  }

  private async ask<T>(question: (store: ObjectStore) => Promise<T>): Promise<T> {
    try {
      return await question(await this.store());
    } catch (error) {
      throw new DomainError('unavailable', undefined, { cause: error });
    }
  }

  private async store(): Promise<ObjectStore> {
    this.opening ??= openAttachmentStore(this.nats);
    try {
      return await this.opening;
    } catch (error) {
      this.opening = undefined;
      throw error;
    }
  }
}

async function* limited(
  pieces: AsyncIterable<Uint8Array>,
  onFailure: (error: Error) => void,
): AsyncGenerator<Uint8Array> {
  let bytes = 0;
  try {
    for await (const piece of pieces) {
      bytes += piece.length;
      if (bytes > LIMITS.attachmentBytes)
        throw new DomainError('too_large', `a file is at most ${LIMITS.attachmentBytes} bytes`);
      if (piece.length > 0) yield piece;
    }
  } catch (error) {
    onFailure(error instanceof Error ? error : new Error(String(error)));
    throw error;
  }
}

async function* readable(stream: globalThis.ReadableStream<Uint8Array>): AsyncGenerator<Uint8Array> {
  const reader = stream.getReader();
  let ended = false;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      ended = done;
      if (done) return;
      yield value;
    }
  } catch (error) {
    ended = true;
    throw new DomainError('unavailable', undefined, { cause: error });
  } finally {
    if (!ended) await reader.cancel();
  }
}
