import { randomUUID } from 'node:crypto';

/**
 * An idempotency key made now: a UUIDv7. Its random part is that of a random UUID, of which Node has many in store; asking for
 * bytes costs a call into the system each.
 */
export function freshKey(): string {
  const time = Date.now().toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}
