/** What signs somebody up, in and out, and what they get for it. */
import { z } from 'zod';
import { LIMITS } from './protocol.js';
import { username } from './schemas.js';
import { meView } from './views.js';

/** Enough to tell an address from a slip of the keyboard; whether it exists only a mail can tell. */
const email = z
  .string()
  .trim()
  .toLowerCase()
  .normalize('NFC')
  .max(LIMITS.emailCharacters)
  .regex(/^[^\s@\p{Cc}\p{Cs}]+@[^\s@\p{Cc}\p{Cs}]+$/u, 'must be an e-mail address');

const password = z.string().refine((text) => {
  const bytes = Buffer.byteLength(text, 'utf8');
  return bytes >= LIMITS.passwordBytesMin && bytes <= LIMITS.passwordBytesMax;
}, `must be ${LIMITS.passwordBytesMin} to ${LIMITS.passwordBytesMax} bytes`);

export const registration = z.object({ username, email, password });
export type Registration = z.output<typeof registration>;

/** By e-mail address or user name. */
export const signIn = z.object({
  email: z.string().optional(),
  username: z.string().optional(),
  password: z.string(),
});
export const refreshing = z.object({ refreshToken: z.string() });
/** By the refresh token, or by the access token of the `Authorization` header alone. */
export const signingOut = z.object({ refreshToken: z.string().optional() });
/** A demo user, by id or name. */
export const demoSignIn = z.object({ user: z.string() });

export const signedIn = z
  .strictObject({
    user: meView,
    /** The access token: minutes. */
    token: z.string(),
    /** Good for one use: it is answered with the next one. */
    refreshToken: z.string(),
  })
  .readonly();
export type SignedIn = z.output<typeof signedIn>;

export const signedOut = z.strictObject({ user: z.null(), token: z.null(), refreshToken: z.null() });
