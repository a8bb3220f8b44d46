/** GET /api/inbox: the caller's rooms, the one with the newest message first. */
import { Controller, Get, Inject, Query, UseGuards } from '@nestjs/common';
import { type InboxEntry, listQuery, type Page, parseOrRefuse } from '#contract';
import { type Database, inboxOf } from '#read-models';
import { DATABASE, type Identity } from '#service';
import { Caller, SignedIn } from '../http/caller.js';
import { CaughtUp } from '../http/caught-up.js';

@Controller('/api/inbox')
@UseGuards(SignedIn, CaughtUp)
export class InboxController {
  constructor(@Inject(DATABASE) private readonly database: Database) {}

  @Get()
  list(@Caller() caller: Identity, @Query() query: unknown): Promise<Page<InboxEntry>> {
    return inboxOf(this.database, caller.userId, parseOrRefuse(listQuery, query));
  }
}
