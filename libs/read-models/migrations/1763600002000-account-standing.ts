import type { MigrationInterface, QueryRunner } from 'typeorm';

/** An operator may end an account, and may give it an administrator's rights. */
export class AccountStanding1763600002000 implements MigrationInterface {
  readonly name = 'AccountStanding1763600002000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(
      'alter table accounts add column disabled_at timestamptz, add column admin boolean not null default false',
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('alter table accounts drop column disabled_at, drop column admin');
  }
}
