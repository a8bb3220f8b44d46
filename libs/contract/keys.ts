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
