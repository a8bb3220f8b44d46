/** Tokens of anybody, signed with the secret that all benchmarks share, as a sign-in service would. */
import { createHmac } from 'node:crypto';

export const SECRET = 'a shared secret that only benchmarks know';
const VALID_SECONDS = 24 * 3_600;

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');

export function tokenFor(userId: string): string {
  const exp = Math.floor(Date.now() / 1_000) + VALID_SECONDS;
  const signed = `${part({ alg: 'HS256', typ: 'JWT' })}.${part({ sub: userId, exp })}`;
  return `${signed}.${createHmac('sha256', SECRET).update(signed).digest('base64url')}`;
}
