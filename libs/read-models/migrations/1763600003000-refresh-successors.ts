import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What a used refresh token was answered with, for whoever asks again because the answer was lost. */
export class RefreshSuccessors1763600003000 implements MigrationInterface {
  readonly name = 'RefreshSuccessors1763600003000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query('alter table refresh_tokens add column successor_hash bytea, add column successor bytea');
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table refresh_tokens drop column successor_hash, drop column successor');
  }
}
