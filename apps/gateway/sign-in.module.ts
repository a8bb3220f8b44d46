/** Verifies who opens a connection, for every transport. */
import { Module } from '@nestjs/common';
import type { Database } from '#read-models';
import { type Config, CONFIG, createTokenVerifier, DATABASE, ownKeys } from '#service';
import { TOKEN_VERIFIER } from './tokens.js';

const verifier = {
  provide: TOKEN_VERIFIER,
  inject: [CONFIG, DATABASE],
  useFactory: (config: Config, database: Database) => createTokenVerifier(config, ownKeys(database)),
};

@Module({ providers: [verifier], exports: [verifier] })
export class SignInModule {}
