import { describe, expect, jest, test } from '@jest/globals';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { DomainError } from '#contract';
import { ownKeys, type Statements } from './signing-keys.js';

/** A table of public keys that can be away, and counts how often it was read. */
class Keys implements Statements {
  readonly rows: { kid: string; public_jwk: JWK }[] = [];
  away = false;
  reads = 0;

  async add(kid: string): Promise<void> {
    const { publicKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519' });
    this.rows.push({ kid, public_jwk: await exportJWK(publicKey) });
  }

  query<R extends object>(): Promise<R[]> {
    this.reads += 1;
    return this.away ? Promise.reject(new DomainError('unavailable')) : Promise.resolve(this.rows as unknown as R[]);
  }
}

const token = { payload: '', signature: '' };
const HOUR_MS = 3_600_000;

describe('own keys', () => {
  test('are read once for many tokens', async () => {
    const table = new Keys();
    await table.add('a');
    const find = ownKeys(table);
    const found = await Promise.all(Array.from({ length: 5 }, async () => find({ alg: 'EdDSA', kid: 'a' }, token)));
    expect(new Set(found).size).toBe(1);
    expect(table.reads).toBe(1);
  });

  test('a new one is found by the token that names it; many strange ones share few reads', async () => {
    const table = new Keys();
    await table.add('a');
    const find = ownKeys(table);
    await find({ alg: 'EdDSA', kid: 'a' }, token);
    await table.add('b');
    const strange = Array.from({ length: 50 }, (_, i) => find({ alg: 'EdDSA', kid: `x${i}` }, token));
    const outcomes = await Promise.allSettled([find({ alg: 'EdDSA', kid: 'b' }, token), ...strange]);
    expect(outcomes[0]?.status).toBe('fulfilled');
    for (const outcome of outcomes.slice(1))
      expect(outcome).toMatchObject({ status: 'rejected', reason: { code: 'ERR_JWKS_NO_MATCHING_KEY' } });
    expect(table.reads).toBeLessThanOrEqual(3);
  });

  test('a token that names none is refused without a read', async () => {
    const table = new Keys();
    await expect(ownKeys(table)({ alg: 'EdDSA' }, token)).rejects.toMatchObject({ code: 'ERR_JWKS_NO_MATCHING_KEY' });
    expect(table.reads).toBe(0);
  });

  test('one that an operator has revoked is forgotten within a minute', async () => {
    jest.useFakeTimers({ now: Date.now(), doNotFake: ['setImmediate', 'setTimeout'] });
    try {
      const table = new Keys();
      await table.add('a');
      await table.add('b');
      const find = ownKeys(table);
      await find({ alg: 'EdDSA', kid: 'a' }, token);
      table.rows.shift();
      jest.advanceTimersByTime(61_000);
      await expect(find({ alg: 'EdDSA', kid: 'a' }, token)).rejects.toMatchObject({
        code: 'ERR_JWKS_NO_MATCHING_KEY',
      });
      await expect(find({ alg: 'EdDSA', kid: 'b' }, token)).resolves.toBeDefined();
    } finally {
      jest.useRealTimers();
    }
  });

  test('while the database is away known ones are good still, and strange ones are unavailable, not wrong', async () => {
    const table = new Keys();
    await table.add('a');
    const find = ownKeys(table);
    await find({ alg: 'EdDSA', kid: 'a' }, token);
    table.away = true;
    jest.useFakeTimers({ now: Date.now(), doNotFake: ['setImmediate', 'setTimeout'] });
    try {
      jest.setSystemTime(Date.now() + HOUR_MS);
      jest.advanceTimersByTime(HOUR_MS);
      await expect(find({ alg: 'EdDSA', kid: 'a' }, token)).resolves.toBeDefined();
      expect(table.reads).toBe(2);
      await expect(find({ alg: 'EdDSA', kid: 'b' }, token)).rejects.toMatchObject({ code: 'unavailable' });
    } finally {
      jest.useRealTimers();
    }
  });
});
