/** What is said of a route: enough to describe it, to check every answer of it, and to see that it is mounted. */
import { z } from 'zod';
import type { RefusalCode } from '../protocol.js';

/** `guest`: in demo mode a call without a token may read. `none`: nobody has to sign in. */
export type SignInNeed = 'token' | 'guest' | 'none';

export interface Route {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** Parameters as `:name`. */
  readonly path: string;
  readonly tag: Tag;
  readonly summary: string;
  readonly signIn: SignInNeed;
  /** Who serves it; absent: `api`. Health is served by every process. */
  readonly by?: 'gateway';
  /** Mounted only where the platform has accounts of its own, or in demo mode. */
  readonly only?: 'accounts' | 'demo';
  readonly query?: z.ZodObject;
  readonly body?: z.ZodType;
  /** Takes an `Idempotency-Key`. */
  readonly keyed?: boolean;
  /** Takes a `position`, as a parameter or as `Parley-Position`: the answer includes it. */
  readonly positioned?: boolean;
  /** By status. A schema is JSON; a media type alone is something else. */
  readonly answers: Readonly<Record<number, z.ZodType | MediaType>>;
  /** Beside those that every route has (`refusalsOf`). */
  readonly refusals: readonly RefusalCode[];
  /** Refusals are plain text unless JSON is asked for (the participant contract). */
  readonly plainText?: boolean;
}

export type MediaType = 'text/plain' | 'text/html' | 'text/javascript' | 'text/css' | 'text/event-stream';

export const TAGS = {
  accounts: 'Signing up, in and out, where the platform has accounts of its own.',
  users: 'Profiles and status.',
  rooms: 'Rooms, their members, and who may do what in them.',
  messages: 'Sending and reading.',
  participants: 'Channels that are the set of their participants.',
  live: 'What happens, as it happens.',
  platform: 'Health, keys, descriptions, the page.',
} as const;
export type Tag = keyof typeof TAGS;

/** Whatever is asked, these may be the answer. */
const EVERYWHERE: readonly RefusalCode[] = ['invalid_body', 'internal', 'unavailable'];
const SIGNED_IN: readonly RefusalCode[] = ['unauthenticated', 'token_expired'];
/** `behind` is temporary: the views come. */
const POSITIONED: readonly RefusalCode[] = ['invalid_cursor', 'behind'];
/** A key is looked up, and where that takes too long the answer is `behind`. */
const KEYED: readonly RefusalCode[] = ['key_reused', 'behind'];
const WITH_BODY: readonly RefusalCode[] = ['too_large', 'invalid_text'];

export function refusalsOf(route: Route): readonly RefusalCode[] {
  const codes = [
    ...EVERYWHERE,
    ...(route.signIn === 'none' ? [] : SIGNED_IN),
    ...(route.positioned === true ? POSITIONED : []),
    ...(route.keyed === true ? KEYED : []),
    // An id in a path is text like any other.
    ...(route.body === undefined && !route.path.includes(':') ? [] : WITH_BODY),
    ...route.refusals,
  ];
  return [...new Set(codes)];
}

/** A command's body as its route takes it: without what the path says, with what the route calls by another name. */
export function bodyWithout(schema: z.ZodObject, left: readonly string[], more: z.ZodRawShape = {}): z.ZodObject {
  const shape = Object.fromEntries(Object.entries(schema.shape).filter(([name]) => !left.includes(name)));
  return z.strictObject({ ...shape, ...more });
}

export const parametersOf = (path: string): string[] =>
  [...path.matchAll(/:([A-Za-z]+)/g)].map(([, name = '']) => name);
