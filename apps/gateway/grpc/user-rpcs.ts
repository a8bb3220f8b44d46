/** Users: their profiles and their status. */
import { Injectable } from '@nestjs/common';
import { type CommandName, DomainError, type UserView } from '#contract';
import type { Identity } from '#service';
import { UserCommands } from '../commands/user-commands.js';
import { type Call, unary } from './answering.js';
import { actorOf, Callers, keyOf } from './callers.js';
import type { UpdateUserRequest, UpdateUserStatusRequest, UserChanged, UserRequest } from './messages.js';
import { Queries } from './queries.js';
import { chatUser } from './views.js';

const REQUIRED = 'user_id is required';

@Injectable()
export class UserRpcs {
  constructor(
    private readonly callers: Callers,
    private readonly queries: Queries,
    private readonly commands: UserCommands,
  ) {}

  readonly rpcs = {
    GetUserProfile: unary(async (request: UserRequest, call) => {
      const user = await this.found(request, call);
      if (user === undefined) throw new DomainError('user_not_found');
      return { user: chatUser(user), found: true };
    }),

    GetUser: unary(async (request: UserRequest, call) => {
      const user = await this.found(request, call);
      return user === undefined ? { found: false } : { user: chatUser(user), found: true };
    }),

    UpdateUserStatus: unary(async ({ user_id, online, status }: UpdateUserStatusRequest, call) => {
      const body = { online, ...(isEmpty(status) ? {} : { status }) };
      return this.change(user_id, [['SetStatus', body]], call);
    }),

    /** What is empty is not meant. */
    UpdateUser: unary(async (request: UpdateUserRequest, call) => {
      const { user_id, username, display_name, avatar_url, status } = request;
      const profile = {
        ...(username === '' ? {} : { username }),
        ...(display_name === '' ? {} : { displayName: display_name }),
        ...(avatar_url === '' ? {} : { avatarUrl: avatar_url }),
      };
      const changes: [CommandName, object][] = [];
      if (!isEmpty(profile)) changes.push(['ChangeProfile', profile]);
      if (!isEmpty(status)) changes.push(['SetStatus', { status }]);
      return this.change(user_id, changes, call);
    }),
  };

  /** Whom a profile is of is no matter of who asks. */
  private async found({ user_id }: UserRequest, call: Call): Promise<UserView | undefined> {
    const { identity } = await this.callers.signIn(call.metadata);
    if (user_id === '') throw new DomainError('invalid_body', REQUIRED);
    await this.queries.caughtUp(call);
    return this.queries.user(user_id, identity);
  }

  private async change(userId: string, changes: readonly [CommandName, object][], call: Call): Promise<UserChanged> {
    const signIn = await this.callers.signIn(call.metadata);
    if (userId === '') throw new DomainError('invalid_body', REQUIRED);
    const user: Identity = actorOf(signIn, userId, REQUIRED);
    if ((await this.queries.user(userId, signIn.identity)) === undefined) throw new DomainError('user_not_found');
    for (const [name, body] of changes)
      await this.queries.seen(await this.commands.run(name, user, body, keyOf(call.metadata)), call);
    const changed = await this.queries.user(userId, signIn.identity);
    if (changed === undefined) throw new DomainError('user_not_found');
    return { user: chatUser(changed), success: true };
  }
}

const isEmpty = (object: object): boolean => Object.keys(object).length === 0;
