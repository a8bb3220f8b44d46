/** Queries about users. */
import { Controller, Get, Param, UseGuards } from '@nestjs/common';
import { DomainError, type MeView, type UserView } from '#contract';
import type { Identity } from '#service';
import { Caller, SignedIn } from '../http/caller.js';
import { CaughtUp } from '../http/caught-up.js';
import { pathId } from '../http/paging.js';
import { Profiles } from './profiles.js';

@Controller('/api')
@UseGuards(SignedIn, CaughtUp)
export class UsersController {
  constructor(private readonly profiles: Profiles) {}

  @Get('me')
  me(@Caller() caller: Identity): Promise<MeView> {
    return this.profiles.me(caller);
  }

  @Get('users/:userId')
  async one(@Param('userId') userId: string): Promise<UserView> {
    const user = await this.profiles.of(pathId('userId', userId));
    if (user === undefined) throw new DomainError('user_not_found');
    return user;
  }
}
