/** Register, sign in, stay signed in, sign out. Mounted only where Parley's own accounts are the source of identity. */
import { Controller, Get, Header, Headers, HttpCode, Inject, Post } from '@nestjs/common';
import type { JWK } from 'jose';
import { DomainError, parseOrRefuse, registration, type SignedIn } from '#contract';
import { bearerToken, SigningKeys, type TokenVerifier } from '#service';
import { JsonObject } from '#service/http';
import { Address, TOKEN_VERIFIER } from '../http/caller.js';
import { RegistrationLimit } from '../http/limits.js';
import { Profiles } from '../users/profiles.js';
import { type Account, Accounts } from './accounts.js';
import { Sessions } from './sessions.js';

/** Tokens are for their owner alone, not for a cache on the way. */
const NO_STORE = ['cache-control', 'no-store'] as const;

type Body = Record<string, unknown>;

@Controller()
export class AuthController {
  constructor(
    private readonly accounts: Accounts,
    private readonly sessions: Sessions,
    private readonly profiles: Profiles,
    private readonly registrations: RegistrationLimit,
    private readonly keys: SigningKeys,
    @Inject(TOKEN_VERIFIER) private readonly verifier: TokenVerifier,
  ) {}

  @Post('/api/auth/register')
  @Header(...NO_STORE)
  async register(@JsonObject() body: Body, @Address() address: string): Promise<SignedIn> {
    if (!filled(body['username']) || !filled(body['email']) || !filled(body['password']))
      throw new DomainError('invalid_body', 'username, email, and password are required');
    const given = parseOrRefuse(registration, body);
    this.registrations.take(address);
    return this.open(await this.accounts.register(given));
  }

  @Post('/api/auth/login')
  @Header(...NO_STORE)
  @HttpCode(200)
  async login(@JsonObject() body: Body, @Address() address: string): Promise<SignedIn> {
    const name = filled(body['email']) ? body['email'] : body['username'];
    const { password } = body;
    if (!filled(name) || !filled(password)) throw new DomainError('invalid_body', 'email and password are required');
    return this.open(await this.accounts.signIn(name, password, address));
  }

  @Post('/api/auth/refresh')
  @Header(...NO_STORE)
  @HttpCode(200)
  async refresh(@JsonObject() { refreshToken }: Body): Promise<SignedIn> {
    if (!filled(refreshToken)) throw new DomainError('invalid_body', 'refreshToken is required');
    const { owner, ...tokens } = await this.sessions.refresh(refreshToken);
    return { user: await this.profiles.me(owner), ...tokens };
  }

  /** By the refresh token, or by an access token alone. Nobody is signed in afterwards, and the answer says so. */
  @Post('/api/auth/logout')
  @HttpCode(200)
  async logout(
    @JsonObject() { refreshToken }: Body,
    @Headers('authorization') authorization?: string,
  ): Promise<{ user: null; token: null; refreshToken: null }> {
    if (filled(refreshToken)) await this.sessions.endByRefreshToken(refreshToken);
    else {
      const { userId, sessionId } = await this.verifier.verify(bearerToken(authorization));
      if (sessionId === undefined) throw new DomainError('unauthenticated');
      await this.sessions.end(userId, sessionId);
    }
    return { user: null, token: null, refreshToken: null };
  }

  @Get('/.well-known/jwks.json')
  jwks(): Promise<{ keys: JWK[] }> {
    return this.keys.jwks();
  }

  private async open(account: Account): Promise<SignedIn> {
    return { user: await this.profiles.me(account), ...(await this.sessions.open(account)) };
  }
}

/** Demo mode: whoever is at this machine may be any demo user. */
@Controller()
export class DemoSignInController {
  constructor(
    private readonly accounts: Accounts,
    private readonly sessions: Sessions,
    private readonly profiles: Profiles,
  ) {}

  @Post('/api/auth/demo')
  @Header(...NO_STORE)
  @HttpCode(200)
  async demo(@JsonObject() { user }: Body): Promise<SignedIn> {
    if (!filled(user)) throw new DomainError('invalid_body', 'user is required');
    const account = await this.accounts.demoUser(user);
    return { user: await this.profiles.me(account), ...(await this.sessions.open(account)) };
  }
}

const filled = (value: unknown): value is string => typeof value === 'string' && value.trim() !== '';
