import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { describe, expect, jest, test } from '@jest/globals';
import { errors, exportJWK, generateKeyPair, type JWTVerifyGetKey, SignJWT } from 'jose';
import { freePort } from '#embedded';
import { loadConfig } from './config.js';
import { bearerToken, createTokenVerifier } from './identity.js';

const SECRET = 'a shared secret of at least 32 bytes!';
const noKeys: JWTVerifyGetKey = () => Promise.reject(new errors.JWKSNoMatchingKey());
const EXP = Math.floor(Date.now() / 1000) + 600;

const encode = (value: unknown): string =>
  Buffer.from(typeof value === 'string' ? value : JSON.stringify(value)).toString('base64url');

function signed(header: unknown, payload: unknown, secret = SECRET): string {
  const input = `${encode(header)}.${encode(payload)}`;
  return `${input}.${createHmac('sha256', secret).update(input).digest('base64url')}`;
}

const HS256 = { alg: 'HS256', typ: 'JWT' };

describe('a shared secret', () => {
  const verifier = createTokenVerifier(loadConfig({ JWT_SECRET: SECRET }), noKeys);

  test('takes the user from `id`, else from `sub`, and a name if there is one', async () => {
    expect(await verifier.verify(signed(HS256, { id: 7, sub: 'x', exp: EXP }))).toEqual({
      userId: '7',
      sessionId: undefined,
      expiresAtMs: EXP * 1000,
    });
    expect(await verifier.verify(signed(HS256, { sub: ' e\u0301ve ', name: 'Eve', exp: EXP }))).toMatchObject({
      userId: '\u00e9ve',
      username: 'Eve',
    });
  });

  test.each([
    ['nothing', ''],
    ['no dots', 'abc'],
    ['two dots', '..'],
    ['five parts', 'a.b.c.d.e'],
    ['no base64url', '!.!.!'],
    ['a header that is no JSON', signed('{', { sub: 'a', exp: EXP })],
    ['a header that is null', signed(null, { sub: 'a', exp: EXP })],
    ['no algorithm', signed({}, { sub: 'a', exp: EXP })],
    ['the algorithm none', signed({ alg: 'none' }, { sub: 'a', exp: EXP })],
    ['another algorithm', signed({ alg: 'EdDSA', kid: 'x' }, { sub: 'a', exp: EXP })],
    ['an algorithm that is a number', signed({ alg: 256 }, { sub: 'a', exp: EXP })],
    ['an unknown extension', signed({ ...HS256, crit: ['x'], x: 1 }, { sub: 'a', exp: EXP })],
    ['extensions that are no list', signed({ ...HS256, crit: 'x' }, { sub: 'a', exp: EXP })],
    ['an unencoded payload', signed({ ...HS256, crit: ['b64'], b64: false }, { sub: 'a', exp: EXP })],
    ['a payload that is no JSON', signed(HS256, 'text')],
    ['a payload that is a list', signed(HS256, [])],
    ['a payload that is null', signed(HS256, null)],
    ['no end', signed(HS256, { sub: 'a' })],
    ['an end that is a text', signed(HS256, { sub: 'a', exp: 'tomorrow' })],
    ['a beginning that is a list', signed(HS256, { sub: 'a', exp: EXP, nbf: [] })],
    ['a beginning in the future', signed(HS256, { sub: 'a', exp: EXP, nbf: EXP })],
    ['nobody', signed(HS256, { exp: EXP })],
    ['a subject that is a number', signed(HS256, { sub: 7, exp: EXP })],
    ['an id that is an object', signed(HS256, { id: {}, exp: EXP })],
    ['an id that is too long', signed(HS256, { id: 'x'.repeat(257), exp: EXP })],
    ['an id with U+0000', signed(HS256, { id: 'a\0b', exp: EXP })],
    ['another secret', signed(HS256, { sub: 'a', exp: EXP }, 'another secret of at least 32 bytes!')],
  ])('refuses a token with %s', async (_what, token) => {
    await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'unauthenticated', message: 'invalid token' });
  });

  test('says of one that has ended that it has', async () => {
    await expect(verifier.verify(signed(HS256, { sub: 'a', exp: EXP - 3_600 }))).rejects.toMatchObject({
      code: 'token_expired',
      message: 'token expired',
    });
  });
});

describe('a shared secret that is being replaced', () => {
  const BEFORE = 'the shared secret of before, 32 bytes';
  const env = { JWT_SECRET: SECRET, JWT_SECRET_PREVIOUS: BEFORE };
  const claims = { sub: 'a', exp: EXP };

  test('signs nobody out: tokens of both are taken, and of no third one', async () => {
    const verifier = createTokenVerifier(loadConfig(env), noKeys);
    for (const secret of [SECRET, BEFORE])
      expect(await verifier.verify(signed(HS256, claims, secret))).toMatchObject({ userId: 'a' });
    await expect(verifier.verify(signed(HS256, claims, `${BEFORE}!`))).rejects.toMatchObject({
      code: 'unauthenticated',
    });
    await expect(verifier.verify(signed(HS256, { ...claims, exp: EXP - 3_600 }, BEFORE))).rejects.toMatchObject({
      code: 'token_expired',
    });
  });

  test('counts no more once it has been taken out', async () => {
    const verifier = createTokenVerifier(loadConfig({ JWT_SECRET: SECRET }), noKeys);
    await expect(verifier.verify(signed(HS256, claims, BEFORE))).rejects.toMatchObject({ code: 'unauthenticated' });
  });
});

describe('an external issuer', () => {
  test('signs with its own keys; nobody is signed out while it is away', async () => {
    const { publicKey, privateKey } = await generateKeyPair('ES256');
    const sign = () =>
      new SignJWT({ sub: 'a' }).setProtectedHeader({ alg: 'ES256', kid: 'k' }).setExpirationTime(EXP).sign(privateKey);
    const keys = JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), kid: 'k', alg: 'ES256' }] });
    const port = await freePort();
    const config = loadConfig({ JWKS_URL: `http://127.0.0.1:${port}/keys` });
    await expect(createTokenVerifier(config, noKeys).verify(await sign())).rejects.toMatchObject({
      code: 'unavailable',
    });
    let broken = true;
    const issuer = createServer((_request, response) => {
      response.writeHead(broken ? 500 : 200).end(keys);
    });
    await new Promise<void>((resolve) => issuer.listen(port, '127.0.0.1', resolve));
    await expect(createTokenVerifier(config, noKeys).verify(await sign())).rejects.toMatchObject({
      code: 'unavailable',
    });
    broken = false;
    const verifier = createTokenVerifier(config, noKeys);
    expect(await verifier.verify(await sign())).toMatchObject({ userId: 'a' });
    await expect(verifier.verify(signed(HS256, { sub: 'a', exp: EXP }))).rejects.toMatchObject({
      code: 'unauthenticated',
    });
    issuer.closeAllConnections();
    await new Promise((resolve) => issuer.close(resolve));
  });
});

describe('demo mode', () => {
  test('has own accounts and a shared secret of any length side by side: the key id chooses the key', async () => {
    const { publicKey, privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519' });
    const verifier = createTokenVerifier(loadConfig({ PARLEY_DEMO: '1', JWT_SECRET: 'short' }), () => publicKey);
    const own = await new SignJWT({ sub: 'alice', sid: 's' })
      .setProtectedHeader({ alg: 'EdDSA', kid: 'k' })
      .setIssuer('parley')
      .setExpirationTime(EXP)
      .sign(privateKey);
    expect(await verifier.verify(own)).toMatchObject({ userId: 'alice', sessionId: 's' });
    expect(await verifier.verify(signed(HS256, { sub: 'bob', exp: EXP }, 'short'))).toMatchObject({ userId: 'bob' });
    await expect(
      verifier.verify(signed({ ...HS256, kid: 'k' }, { sub: 'bob', exp: EXP }, 'short')),
    ).rejects.toMatchObject({ code: 'unauthenticated' });
  });
});

describe('a good token', () => {
  test('is verified once a minute, and never taken after its end', async () => {
    const { publicKey, privateKey } = await generateKeyPair('EdDSA', { crv: 'Ed25519' });
    let lookUps = 0;
    const keys: JWTVerifyGetKey = () => {
      lookUps += 1;
      return publicKey;
    };
    const verifier = createTokenVerifier(loadConfig({}), keys);
    const startMs = Date.now();
    const token = await new SignJWT({ sub: 'a' })
      .setProtectedHeader({ alg: 'EdDSA', kid: 'k' })
      .setIssuer('parley')
      .setExpirationTime(Math.floor(startMs / 1000) + 90)
      .sign(privateKey);
    jest.useFakeTimers({ advanceTimers: true, now: startMs });
    try {
      for (let i = 0; i < 5; i++) expect(await verifier.verify(token)).toMatchObject({ userId: 'a' });
      expect(lookUps).toBe(1);
      jest.setSystemTime(startMs + 61_000);
      expect(await verifier.verify(token)).toMatchObject({ userId: 'a' });
      expect(lookUps).toBe(2);
      jest.setSystemTime(startMs + 100_000);
      await expect(verifier.verify(token)).rejects.toMatchObject({ code: 'token_expired' });
    } finally {
      jest.useRealTimers();
    }
  });
});

describe('the authorization header', () => {
  test.each(['Bearer abc', 'bearer abc', 'BEARER  abc'])('%j carries a token', (header) => {
    expect(bearerToken(header)).toBe('abc');
  });

  test.each([
    [undefined, 'missing authorization header'],
    ['', 'missing authorization header'],
    ['abc', 'invalid authorization header format'],
    ['Bearer', 'invalid authorization header format'],
    ['Bearer a b', 'invalid authorization header format'],
    ['Basic abc', 'invalid authorization header format'],
  ])('%j does not', (header, text) => {
    expect(() => bearerToken(header)).toThrow(text);
  });
});
