/**
 * Constant tables of the wire contracts: refusals, limits, close codes, names. No library is imported here, so that the
 * browser client can take them at no cost; the shapes of bodies and frames are the zod schemas beside this file.
 */

/** gRPC status numbers that a refusal can map to (https://grpc.io/docs/guides/status-codes/). */
type GrpcStatus = 3 | 5 | 6 | 7 | 8 | 9 | 13 | 14 | 16;

interface RefusalRow {
  readonly http: number;
  readonly grpc: GrpcStatus;
  /** A retry of the same request, with the same key, can succeed. */
  readonly temporary: boolean;
  /** Shown when the code that refuses has nothing more precise to say. */
  readonly detail: string;
}

/** Every refusal there is: one row maps a code to HTTP, gRPC and whether a retry can help. */
export const REFUSALS = {
  invalid_body: { http: 400, grpc: 3, temporary: false, detail: 'bad request' },
  invalid_text: {
    http: 400,
    grpc: 3,
    temporary: false,
    detail: 'text must be well-formed Unicode without control characters',
  },
  invalid_cursor: { http: 400, grpc: 3, temporary: false, detail: 'invalid cursor' },
  unauthenticated: { http: 401, grpc: 16, temporary: false, detail: 'invalid token' },
  token_expired: { http: 401, grpc: 16, temporary: false, detail: 'token expired' },
  forbidden: { http: 403, grpc: 7, temporary: false, detail: 'forbidden' },
  not_member: { http: 403, grpc: 7, temporary: false, detail: 'user is not a member of this room' },
  muted: { http: 403, grpc: 7, temporary: false, detail: 'user is muted in this room' },
  banned: { http: 403, grpc: 7, temporary: false, detail: 'user is banned from this room' },
  blocked: { http: 403, grpc: 7, temporary: false, detail: 'user is blocked' },
  room_not_found: { http: 404, grpc: 5, temporary: false, detail: 'room not found' },
  message_not_found: { http: 404, grpc: 5, temporary: false, detail: 'message not found' },
  user_not_found: { http: 404, grpc: 5, temporary: false, detail: 'user not found' },
  already_exists: { http: 409, grpc: 6, temporary: false, detail: 'already exists' },
  room_full: { http: 409, grpc: 8, temporary: false, detail: 'room is at maximum capacity' },
  room_archived: { http: 409, grpc: 9, temporary: false, detail: 'room is archived' },
  too_large: { http: 413, grpc: 8, temporary: false, detail: 'too large' },
  key_reused: { http: 422, grpc: 9, temporary: false, detail: 'this key was used with another body' },
  rate_limited: { http: 429, grpc: 8, temporary: true, detail: 'rate limit exceeded' },
  internal: { http: 500, grpc: 13, temporary: false, detail: 'internal error' },
  behind: { http: 503, grpc: 14, temporary: true, detail: 'the view has not caught up yet' },
  unavailable: { http: 503, grpc: 14, temporary: true, detail: 'temporarily unavailable' },
} as const satisfies Record<string, RefusalRow>;

export type RefusalCode = keyof typeof REFUSALS;

export function isRefusalCode(code: unknown): code is RefusalCode {
  return typeof code === 'string' && Object.hasOwn(REFUSALS, code);
}

/** Every limit a client can meet. Bytes are UTF-8 bytes; units stand last in the names. */
export const LIMITS = {
  contentBytes: 16 * 1024,
  metadataEntries: 32,
  metadataBytes: 4 * 1024,
  settingsEntries: 32,
  settingsEntryBytes: 256,
  nameCharacters: 80,
  descriptionCharacters: 1_000,
  idCharacters: 64,
  /** A user id of an external issuer may be longer than a room id; in subjects it stands hashed. */
  userIdCharacters: 256,
  emailCharacters: 254,
  passwordBytesMin: 8,
  passwordBytesMax: 256,
  urlCharacters: 2_048,
  mentions: 64,
  participants: 64,
  connectionsQueryUsers: 100,
  bodyBytes: 64 * 1024,
  frameBytes: 64 * 1024,
  page: 100,
  pageDefault: 50,
  pageCursorCharacters: 1_024,
  keyCharacters: 200,
  socketsPerUser: 20,
  roomsPerUser: 5_000,
  roomSubscribersPerGateway: 10_000,
  membersMax: 100_000,
  watchedUsers: 500,
  historyOnJoin: 50,
  /** Of lists that are not paged (gRPC): rooms, users, and members shown with each room. */
  listedRooms: 1_000,
  listedUsers: 1_000,
  listedMembersOfRoom: 100,
  /** How far back a search goes: in one room, and in each of the rooms with the newest messages. */
  searchedMessagesOfRoom: 20_000,
  searchedRooms: 100,
  searchedMessagesEach: 1_000,
  attachmentBytes: 25 * 1024 * 1024,
  sendsPerSecond: 20,
  sendsBurst: 40,
  failedSignInsPerMinute: 5,
  failedSignInsPerAccountPerMinute: 10,
  registrationsPerMinute: 30,
  helloMs: 10_000,
  socketsWithoutHello: 10_000,
  socketsWithoutHelloPerAddress: 1_000,
  unreadableFrames: 64,
  /** A resume that would replay more than this is answered with `recovered: false`. */
  replayEvents: 5_000,
  replayBytes: 4 * 1024 * 1024,
  /** Rooms above this size announce joins and leaves as a count. */
  announcedMembers: 1_000,
  /** A UUIDv7 key younger than this goes straight to the log: the broker's dedupe window is twice as long. */
  freshKeyMs: 60_000,
  dedupeWindowMs: 120_000,
  positionWaitMs: 2_000,
  heartbeatMs: 25_000,
  cursorMs: 5_000,
  partitions: 1_024,
  memberEventsPerBatch: 64,
} as const;

/** WebSocket close codes: 4000-4499 reconnect and resume, 4500-4999 do not. */
export const CLOSE = {
  draining: 4000,
  slowReader: 4001,
  heartbeatMissed: 4002,
  epochChanged: 4003,
  replayFailed: 4004,
  signInRefused: 4500,
  tokenExpired: 4501,
  protocolError: 4502,
  frameTooLarge: 4503,
  tooManyConnections: 4504,
  sessionRevoked: 4505,
} as const;

export type CloseCode = (typeof CLOSE)[keyof typeof CLOSE];

/** Whether a client reconnects after this close code: our codes say so by their range, everything else is the network's fault. */
export function mayReconnect(closeCode: number): boolean {
  return closeCode < 4500 || closeCode > 4999;
}

export const SUBPROTOCOL = 'parley.v1';
/** A second offered subprotocol with this prefix carries the token, for browsers that cannot set headers. */
export const BEARER_SUBPROTOCOL_PREFIX = 'bearer.';

/** HTTP header names in the spelling of `req.headers`. */
export const HTTP_HEADERS = {
  idempotencyKey: 'idempotency-key',
  position: 'parley-position',
  retryAfter: 'retry-after',
} as const;

export const ECHO_MODES = ['origin', 'none', 'all'] as const;
export type EchoMode = (typeof ECHO_MODES)[number];

export const MEMBER_ROLES = ['owner', 'moderator', 'member'] as const;
export type MemberRole = (typeof MEMBER_ROLES)[number];

export const MESSAGE_TYPES = ['text', 'image', 'file', 'system'] as const;
export type MessageType = (typeof MESSAGE_TYPES)[number];

/** Types of `{op:"event"}` frames. The timeline's carry `prev`; the others are state, where the highest `seq` wins. */
export const TIMELINE_FRAME_TYPES = [
  'message.sent',
  'message.edited',
  'message.deleted',
  'reaction.added',
  'reaction.removed',
] as const;
export const STATE_FRAME_TYPES = [
  'member.joined',
  'member.left',
  'member.updated',
  'members.changed',
  'room.created',
  'room.updated',
] as const;
export type EventFrameType = (typeof TIMELINE_FRAME_TYPES)[number] | (typeof STATE_FRAME_TYPES)[number];

/** What a repeat of a key is compared by, and what travels beside every refusal. */
export interface Refusal {
  readonly code: RefusalCode;
  readonly detail: string;
  /** When a retry makes sense, in milliseconds; only on temporary refusals. */
  readonly retryMs?: number;
}

/** The one error that rules, handlers and edges throw to refuse something. Edges turn it into HTTP, gRPC or a frame. */
export class DomainError extends Error {
  readonly code: RefusalCode;
  readonly retryMs: number | undefined;

  constructor(code: RefusalCode, detail?: string, options: { retryMs?: number; cause?: unknown } = {}) {
    super(detail ?? REFUSALS[code].detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'DomainError';
    this.code = code;
    this.retryMs = options.retryMs ?? (REFUSALS[code].temporary ? 1_000 : undefined);
  }

  toRefusal(): Refusal {
    return {
      code: this.code,
      detail: this.message,
      ...(this.retryMs === undefined ? {} : { retryMs: this.retryMs }),
    };
  }
}

/**
 * Idempotency keys. Any key works; a UUIDv7 (RFC 9562, section 5.7) carries its time, and a young one goes straight to the
 * log because the broker still remembers every id of that age.
 */
const UUID_V7 = /^([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/**
 * A new key.
 * @param nowMs ms since 1970
 * @param random 10 random bytes
 */
export function newKey(nowMs: number, random: Uint8Array): string {
  if (random.length < 10) throw new RangeError('a key takes 10 random bytes');
  const hex = [...random.subarray(0, 10)].map((byte) => byte.toString(16).padStart(2, '0')).join('');
  const time = Math.trunc(nowMs).toString(16).padStart(12, '0');
  const variant = (0x8 | (parseInt(hex[3] ?? '0', 16) & 0x3)).toString(16);
  return `${time.slice(0, 8)}-${time.slice(8)}-7${hex.slice(0, 3)}-${variant}${hex.slice(4, 7)}-${hex.slice(7, 19)}`;
}

/** When a UUIDv7 key was made, ms since 1970; undefined for every other key. */
export function keyTimeMs(key: string): number | undefined {
  const match = UUID_V7.exec(key);
  return match ? parseInt(`${match[1]}${match[2]}`, 16) : undefined;
}
