/** The read side's writer. Its process provides `CONFIG`, `NATS`, `EVENT_LOG`, `DATABASE` and `HEALTH` globally and serves its handlers. */
import { Inject, Logger, Module, type OnApplicationBootstrap, type OnApplicationShutdown } from '@nestjs/common';
import type { NatsConnection } from '@nats-io/transport-node';
import { TRANSIENT } from '#contract';
import type { EventLog } from '#event-log';
import { type Database, PositionWaiter } from '#read-models';
import { type Config, CONFIG, DATABASE, EVENT_LOG, type Health, HEALTH, NATS } from '#service';
import { MarkBatches } from './marks/mark-batches.js';
import { MarksController } from './marks/marks.controller.js';
import { ProjectionRole } from './projection-role.js';
import { RebuildController } from './rebuild/rebuild.controller.js';
import { Rebuilds } from './rebuild/rebuilds.js';

const rebuilds = {
  provide: Rebuilds,
  inject: [CONFIG, EVENT_LOG, DATABASE],
  useFactory: ({ retryAttempts }: Config, log: EventLog, database: Database) =>
    new Rebuilds({ database, log, retryAttempts, logger: new Logger('Rebuild') }),
};

const role = {
  provide: ProjectionRole,
  inject: [CONFIG, NATS, EVENT_LOG, DATABASE, Rebuilds],
  useFactory: (config: Config, nats: NatsConnection, log: EventLog, database: Database, made: Rebuilds) =>
    new ProjectionRole({
      nats,
      log,
      database,
      retryAttempts: config.retryAttempts,
      logger: new Logger('Projection'),
      rebuilds: made,
    }),
};

const POSITIONS = Symbol('positions of the marks');
const positions = {
  provide: POSITIONS,
  inject: [NATS, DATABASE],
  useFactory: (nats: NatsConnection, database: Database) => new PositionWaiter(database, nats),
};

const marks = {
  provide: MarkBatches,
  inject: [NATS, EVENT_LOG, DATABASE, POSITIONS],
  useFactory: (nats: NatsConnection, log: EventLog, database: Database, waiter: PositionWaiter) =>
    new MarkBatches({
      database,
      log,
      positions: waiter,
      onMoved: ({ userId, roomId, messageId, kind }) =>
        nats.publish(TRANSIENT.marked(userId), JSON.stringify({ userId, roomId, messageId, kind })),
    }),
};

@Module({ controllers: [MarksController, RebuildController], providers: [rebuilds, role, positions, marks] })
export class ProjectionModule implements OnApplicationBootstrap, OnApplicationShutdown {
  constructor(
    @Inject(ProjectionRole) private readonly role: ProjectionRole,
    @Inject(Rebuilds) private readonly rebuilds: Rebuilds,
    @Inject(POSITIONS) private readonly positions: PositionWaiter,
    @Inject(HEALTH) private readonly health: Health,
  ) {}

  onApplicationBootstrap(): void {
    this.role.addTo(this.health);
    this.role.start();
  }

  async onApplicationShutdown(): Promise<void> {
    this.positions.close();
    await Promise.all([this.rebuilds.stop(), this.role.stop()]);
  }
}
