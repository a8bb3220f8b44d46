import { describe, expect, test } from '@jest/globals';
import { parseOptions } from '@node-rs/argon2';
import { Passwords } from './passwords.js';

const always = (): void => undefined;

describe('passwords', () => {
  test('are stored as argon2id with the stated cost', async () => {
    const stored = await new Passwords().hash('correct horse');
    expect(stored.startsWith('$argon2id$')).toBe(true);
    expect(parseOptions(stored)).toMatchObject({ memoryCost: 19_456, timeCost: 2, parallelism: 1 });
    expect(await new Passwords().hash('correct horse')).not.toBe(stored);
  });

  test('match their own hash and no other, and nothing matches where there is none', async () => {
    const passwords = new Passwords();
    const stored = await passwords.hash('correct horse');
    await expect(passwords.verify(stored, 'correct horse', always)).resolves.toBe(true);
    await expect(passwords.verify(stored, 'wrong horse', always)).resolves.toBe(false);
    await expect(passwords.verify(undefined, 'nobody has this password', always)).resolves.toBe(false);
    await expect(passwords.verify(null, 'nobody has this password', always)).resolves.toBe(false);
  });

  test('an attempt that may no longer be made when its turn comes is refused', async () => {
    const passwords = new Passwords();
    const stored = await passwords.hash('correct horse');
    const late = passwords.verify(stored, 'correct horse', () => {
      throw new Error('too many failures');
    });
    await expect(late).rejects.toThrow('too many failures');
    await expect(passwords.verify(stored, 'correct horse', always)).resolves.toBe(true);
  });

  test('a rush is served two at a time, and refused where the queue ends', async () => {
    const passwords = new Passwords();
    const stored = await passwords.hash('correct horse');
    const rush = await Promise.allSettled(
      Array.from({ length: 140 }, () => passwords.verify(stored, 'correct horse', always)),
    );
    const refused = rush.filter((result) => result.status === 'rejected');
    expect(refused).toHaveLength(140 - 2 - 128);
    for (const { reason } of refused) expect(reason).toMatchObject({ code: 'unavailable' });
    await expect(passwords.verify(stored, 'wrong', always)).resolves.toBe(false);
  });
});
