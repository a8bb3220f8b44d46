import { describe, expect, test } from '@jest/globals';
import { ConfigError, loadConfig } from './config.js';
import { connectNats } from './nats.js';

const messageOf = (env: Record<string, string>): string => {
  try {
    loadConfig(env);
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('nothing is wrong with it');
};

describe('a wrong configuration', () => {
  test('is told with its variable, its value and what it takes', () => {
    expect(messageOf({ PARLEY_SYNC: 'soon' })).toBe('PARLEY_SYNC=soon: takes always, off or a duration such as 10ms');
  });

  test.each([
    ['DATABASE_URL', { DATABASE_URL: 'mysql://parley:swordfish@db/parley' }],
    ['JWKS_URL', { JWKS_URL: 'swordfish' }],
    ['JWT_SECRET', { JWT_SECRET: 'swordfish' }],
    ['JWT_SECRET_PREVIOUS', { JWT_SECRET: 'x'.repeat(32), JWT_SECRET_PREVIOUS: 'swordfish' }],
    ['JWT_SECRET_PREVIOUS', { JWT_SECRET_PREVIOUS: 'swordfish' }],
  ])('of %s is told without its value, which may be a secret', (variable, env) => {
    expect(messageOf(env)).toContain(variable);
    expect(messageOf(env)).not.toContain('swordfish');
  });

  test('of NATS_URL names the servers, and no password', async () => {
    const config = loadConfig({ NATS_URL: 'nats://ann:swordfish@127.0.0.1:1,bob:swordfish@localhost:1' });
    const failure = connectNats(config, 'spec').catch((error: unknown) => String(error));
    expect(await failure).toContain('no NATS server answers at nats://127.0.0.1:1, localhost:1');
    expect(await failure).not.toContain('swordfish');
  });
});
