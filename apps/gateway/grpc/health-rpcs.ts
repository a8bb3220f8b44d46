/** Health, twice: the contract's own RPC, and the standard service that balancers ask. Both say what `/health/ready` says. */
import { Inject, Injectable, type OnModuleDestroy, type OnModuleInit } from '@nestjs/common';
import type { Server } from '@grpc/grpc-js';
import { HealthImplementation } from 'grpc-health-check';
import { CHAT_PROTO } from '#contract';
import { type Health, HEALTH } from '#service';
import { onFault, unary } from './answering.js';
import type { HealthCheckResponse } from './messages.js';

/** How late the standard service may be. */
const LOOK_EVERY_MS = 5_000;
const SERVICES = ['', CHAT_PROTO.service];

@Injectable()
export class HealthRpcs implements OnModuleInit, OnModuleDestroy {
  private readonly standard = new HealthImplementation();
  private readonly startedAtMs = performance.now();
  private timer: NodeJS.Timeout | undefined;
  private draining = false;

  constructor(@Inject(HEALTH) private readonly health: Health) {}

  /** Needs no sign-in, and tells strangers which parts there are, not what is wrong with them. */
  readonly rpcs = {
    HealthCheck: unary(async (): Promise<HealthCheckResponse> => {
      const { ready, parts } = await this.health.report();
      return {
        status: ready ? 'healthy' : 'unhealthy',
        message: ready ? 'Chat service is running' : 'Chat service is not ready',
        timestamp: new Date().toISOString(),
        details: Object.fromEntries(Object.entries(parts).map(([part, { ok }]) => [part, ok ? 'ok' : 'failing'])),
        uptime: `${((performance.now() - this.startedAtMs) / 1_000).toFixed(3)}s`,
      };
    }),
  };

  addTo(server: Server): void {
    this.standard.addToServer(server);
  }

  onModuleInit(): void {
    this.say('SERVING');
    this.timer = setInterval(() => {
      this.look().catch(onFault);
    }, LOOK_EVERY_MS);
  }

  /** Nothing new is to come here any more. */
  onModuleDestroy(): void {
    clearInterval(this.timer);
    this.draining = true;
    this.say('NOT_SERVING');
  }

  private async look(): Promise<void> {
    const { ready } = await this.health.report();
    if (!this.draining) this.say(ready ? 'SERVING' : 'NOT_SERVING');
  }

  private say(status: 'SERVING' | 'NOT_SERVING'): void {
    for (const service of SERVICES) this.standard.setStatus(service, status);
  }
}
