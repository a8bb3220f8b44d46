/** Verifies who opens a connection, for every transport. */
import { Module } from '@nestjs/common';
import type { NatsConnection } from '@nats-io/transport-node';
import type { Database } from '#read-models';
import { type Config, CONFIG, createTokenVerifier, DATABASE, NATS, ownKeys, refusingRevoked } from '#service';
import { TOKEN_VERIFIER } from './tokens.js';

const verifier = {
  provide: TOKEN_VERIFIER,
  inject: [CONFIG, DATABASE, NATS],
  useFactory: (config: Config, database: Database, nats: NatsConnection) =>
    refusingRevoked(createTokenVerifier(config, ownKeys(database)), nats, config),
};

@Module({ providers: [verifier], exports: [verifier] })
export class SignInModule {}
