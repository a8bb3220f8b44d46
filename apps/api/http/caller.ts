/** Who is calling: guards that verify the token, and what handlers take from the request about its sender. */
import {
  type CanActivate,
  createParamDecorator,
  type ExecutionContext,
  Inject,
  Injectable,
  SetMetadata,
} from '@nestjs/common';
import { Reflector } from '@nestjs/core';
import type { FastifyRequest } from 'fastify';
import { DomainError, fields, HTTP_HEADERS, parseOrRefuse } from '#contract';
import { bearerToken, type Config, CONFIG, type Identity, networkOf, type TokenVerifier } from '#service';

export const TOKEN_VERIFIER = Symbol('TokenVerifier');

interface WithCaller extends FastifyRequest {
  caller?: Identity;
}

const GUESTS = 'parley:guests';
/** In demo mode a call without a token may read here, as a guest who sees public rooms. */
export const DemoGuestsToo = (): MethodDecorator => SetMetadata(GUESTS, true);

/** Lets through who has a good token. */
@Injectable()
export class SignedIn implements CanActivate {
  constructor(
    @Inject(TOKEN_VERIFIER) private readonly verifier: TokenVerifier,
    @Inject(CONFIG) private readonly config: Config,
    private readonly reflector: Reflector,
  ) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    const request = context.switchToHttp().getRequest<WithCaller>();
    const { authorization } = request.headers;
    if (authorization === undefined && this.config.demo && this.reflector.get<boolean>(GUESTS, context.getHandler()))
      return true;
    request.caller = await this.verifier.verify(bearerToken(authorization));
    return true;
  }
}

/** The signed-in user. */
export const Caller = createParamDecorator((_: unknown, context: ExecutionContext): Identity => {
  const { caller } = context.switchToHttp().getRequest<WithCaller>();
  if (caller === undefined) throw new Error('a handler asks for the caller on a route without sign-in');
  return caller;
});

/** The signed-in user, or undefined for a demo guest. */
export type Reader = Identity | undefined;

/** Who reads, on a route that is `DemoGuestsToo`. */
export const CallerOrGuest = createParamDecorator(
  (_: unknown, context: ExecutionContext): Reader => context.switchToHttp().getRequest<WithCaller>().caller,
);

/** The client's `Idempotency-Key`, if it gave one. */
export const IdempotencyKey = createParamDecorator((_: unknown, context: ExecutionContext): string | undefined =>
  idempotencyKeyOf(context.switchToHttp().getRequest<FastifyRequest>()),
);

export function idempotencyKeyOf(request: FastifyRequest): string | undefined {
  const key = request.headers[HTTP_HEADERS.idempotencyKey];
  if (key === undefined) return undefined;
  try {
    return parseOrRefuse(fields.idempotencyKey, key);
  } catch (error) {
    if (error instanceof DomainError)
      throw new DomainError(error.code, `Idempotency-Key: ${error.message}`, { cause: error });
    throw error;
  }
}

/** What failed sign-ins and registrations are counted by. */
export const Address = createParamDecorator((_: unknown, context: ExecutionContext): string =>
  networkOf(context.switchToHttp().getRequest<FastifyRequest>().ip),
);
