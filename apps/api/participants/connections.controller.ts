/** POST /api/connections: how many live connections users have, over all gateways. */
import {
  type CanActivate,
  Controller,
  type ExecutionContext,
  HttpCode,
  Inject,
  Injectable,
  Post,
  UseGuards,
} from '@nestjs/common';
import { DomainError, fields, LIMITS } from '#contract';
import { type Config, CONFIG } from '#service';
import { AnyJson } from '#service/http';
import { SignedIn } from '../http/caller.js';
import { Online } from '../users/online.js';

/** Needs no token in demo mode, nor where the deployment says so. */
@Injectable()
class SignedInUnlessPublic implements CanActivate {
  constructor(
    @Inject(CONFIG) private readonly config: Config,
    private readonly signedIn: SignedIn,
  ) {}

  canActivate(context: ExecutionContext): boolean | Promise<boolean> {
    return this.config.connectionsPublic || this.signedIn.canActivate(context);
  }
}

@Controller('/api/connections')
@UseGuards(SignedInUnlessPublic)
export class ConnectionsController {
  constructor(private readonly online: Online) {}

  @Post()
  @HttpCode(200)
  async count(@AnyJson() body: unknown): Promise<Record<string, number>> {
    const users = usersOf(body);
    const counts = await this.online.connectionsOf(users);
    // Object.fromEntries makes own properties of whatever a user is called, `__proto__` included.
    return Object.fromEntries(users.map((user) => [user, counts.get(user) ?? 0]));
  }
}

function usersOf(body: unknown): string[] {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) throw new DomainError('invalid_body');
  const users = (body as { users?: unknown }).users;
  if (users === undefined || users === null || (Array.isArray(users) && users.length === 0))
    throw new DomainError('invalid_body', 'users array is required');
  const parsed = fields.userId.array().max(LIMITS.connectionsQueryUsers).safeParse(users);
  if (!parsed.success) throw new DomainError('invalid_body', 'bad request', { cause: parsed.error });
  return parsed.data;
}
