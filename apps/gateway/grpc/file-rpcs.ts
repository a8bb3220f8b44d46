/** Files: for the members of a room, through the object store. */
import { Inject, Injectable } from '@nestjs/common';
import type { NatsConnection } from '@nats-io/transport-node';
import { DomainError, fields, LIMITS, parseOrRefuse } from '#contract';
import { visibleRoom } from '#read-models';
import { Attachments, attachmentType, Gate, type Identity, NATS } from '#service';
import { type Call, reading, unary } from './answering.js';
import { actorOf, callerOf, Callers, type SignIn } from './callers.js';
import { refuseUnfit } from './chat-proto.js';
import type { FileUpload, FileUploadResponse, GetFileResponse } from './messages.js';
import { isRoomId, Queries } from './queries.js';

const REQUIRED = 'room_id, user_id, and filename are required';
/**
 * `GetFile` answers with one message, so each one holds a whole file until its caller has taken it: more than so many at a time, or of one
 * user, are told to come back.
 */
const DOWNLOADS_MAX = 8;
const DOWNLOADS_EACH_MAX = 2;
/** Of each, some pieces wait to be stored. */
const UPLOADS_MAX = 32;

@Injectable()
export class FileRpcs {
  private readonly files: Attachments;
  private readonly downloads = new Gate({ inside: DOWNLOADS_MAX, waiting: 0, refusal: 'too many downloads at once' });
  private readonly uploads = new Gate({ inside: UPLOADS_MAX, waiting: 0, refusal: 'too many uploads at once' });
  /** By user. */
  private readonly downloadsOf = new Map<string, number>();

  constructor(
    private readonly callers: Callers,
    private readonly queries: Queries,
    @Inject(NATS) nats: NatsConnection,
  ) {
    this.files = new Attachments(nats);
  }

  readonly rpcs = {
    ShareFile: reading((uploads: AsyncIterator<FileUpload>, call) => this.share(uploads, call)),

    GetFile: unary(async ({ file_id }: { file_id: string }, call) => {
      const signIn = await this.callers.signIn(call.metadata);
      if (file_id === '') throw new DomainError('invalid_body', 'file_id is required');
      return this.get(file_id, signIn, call);
    }),
  };

  /** The first message says what the file is, it and all that follow bring its bytes. */
  private async share(uploads: AsyncIterator<FileUpload>, call: Call): Promise<FileUploadResponse> {
    const signIn = await this.callers.signIn(call.metadata);
    const { value: first, done } = await uploads.next();
    if (done === true) throw new DomainError('invalid_body', 'file cannot be nil');
    refuseUnfit(first);
    const { room_id, user_id, filename, content_type } = first;
    if (room_id === '' || user_id === '' || filename === '') throw new DomainError('invalid_body', REQUIRED);
    const user = actorOf(signIn, user_id, REQUIRED);
    const file = {
      filename: parseOrRefuse(fields.description, filename),
      contentType: attachmentType(content_type),
      roomId: room_id,
      uploadedBy: user.userId,
    };
    if (first.size > LIMITS.attachmentBytes)
      throw new DomainError('too_large', `a file is at most ${LIMITS.attachmentBytes} bytes`);
    await this.queries.caughtUp(call);
    await this.membersOnly(room_id, user);
    const stored = await this.uploads.run(() => this.files.put(file, pieces(first, uploads, call.signal)));
    return {
      file_id: stored.id,
      filename: stored.filename,
      url: `/api/attachments/${stored.id}`,
      size: stored.sizeBytes,
      success: true,
      timestamp: new Date().toISOString(),
    };
  }

  /** Who may read a room's history may read its files. */
  private async get(fileId: string, signIn: SignIn, call: Call): Promise<GetFileResponse> {
    const missing = { file_id: fileId, found: false };
    const info = await this.files.info(fileId);
    if (info === undefined) return missing;
    const caller = callerOf(signIn, '');
    await this.queries.readable(info.roomId, caller);
    await this.beginDownload(caller?.userId ?? '', call.signal);
    const data = await this.whole(fileId, call.signal);
    if (data === undefined) return missing;
    const { filename, contentType: content_type, sizeBytes: size } = info;
    return { file_id: fileId, filename, content_type, size, data, found: true };
  }

  /** Its place is taken until the call is over: until then the file is in memory, however slowly it is read. */
  private async beginDownload(userId: string, signal: AbortSignal): Promise<void> {
    const running = this.downloadsOf.get(userId) ?? 0;
    if (running >= DOWNLOADS_EACH_MAX) throw new DomainError('rate_limited', 'too many downloads at once');
    this.downloadsOf.set(userId, running + 1);
    const end = (): void => {
      const left = (this.downloadsOf.get(userId) ?? 1) - 1;
      if (left > 0) this.downloadsOf.set(userId, left);
      else this.downloadsOf.delete(userId);
    };
    try {
      const leave = await this.downloads.enter();
      onceAborted(signal, () => {
        leave();
        end();
      });
    } catch (error) {
      end();
      throw error;
    }
  }

  private async whole(fileId: string, signal: AbortSignal): Promise<Buffer | undefined> {
    const bytes = await this.files.bytes(fileId);
    if (bytes === undefined) return undefined;
    const parts: Uint8Array[] = [];
    for await (const part of bytes) {
      if (signal.aborted) throw new DomainError('unavailable', 'the call has ended');
      parts.push(part);
    }
    return Buffer.concat(parts);
  }

  private async membersOnly(roomId: string, user: Identity): Promise<void> {
    if (!isRoomId(roomId)) throw new DomainError('room_not_found');
    const { isMember } = await visibleRoom(this.queries.database, roomId, user.userId);
    if (!isMember) throw new DomainError('not_member');
  }
}

function onceAborted(signal: AbortSignal, act: () => void): void {
  if (signal.aborted) act();
  else signal.addEventListener('abort', act, { once: true });
}

/** The bytes, as they come; what breaks off or is not as long as announced is no file. */
async function* pieces(
  first: FileUpload,
  rest: AsyncIterator<FileUpload>,
  signal: AbortSignal,
): AsyncGenerator<Buffer> {
  yield first.data;
  let bytes = first.data.length;
  for (;;) {
    const next = await rest.next();
    if (signal.aborted) throw new DomainError('unavailable', 'the upload has ended before the file');
    if (next.done === true) break;
    bytes += next.value.data.length;
    yield next.value.data;
  }
  if (first.size > 0 && bytes !== first.size)
    throw new DomainError('invalid_body', `size: ${first.size} bytes were announced and ${bytes} came`);
}
