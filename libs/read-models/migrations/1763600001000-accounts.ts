import type { MigrationInterface, QueryRunner } from 'typeorm';

const TABLES = [
  `create table accounts (
    user_id text primary key,
    username text not null,
    username_key text not null,
    email text not null,
    password_hash text,
    created_at timestamptz not null default now())`,
  `create unique index accounts_username_key on accounts (username_key)`,
  `create unique index accounts_email on accounts (email)`,
  `create table sessions (
    id uuid primary key,
    user_id text not null constraint sessions_account references accounts (user_id) on delete cascade,
    created_at timestamptz not null default now(),
    revoked_at timestamptz)`,
  `create index sessions_user on sessions (user_id)`,
  `create table refresh_tokens (
    token_hash bytea primary key,
    session_id uuid not null constraint refresh_tokens_session_of references sessions (id) on delete cascade,
    created_at timestamptz not null default now(),
    expires_at timestamptz not null,
    used_at timestamptz)`,
  `create index refresh_tokens_session on refresh_tokens (session_id)`,
  `create index refresh_tokens_end on refresh_tokens (expires_at)`,
  `create table signing_keys (
    kid text primary key,
    algorithm text not null default 'EdDSA',
    public_jwk jsonb not null,
    private_jwk jsonb not null,
    created_at timestamptz not null default now(),
    retired_at timestamptz)`,
  `create unique index signing_keys_active on signing_keys (algorithm) where retired_at is null`,
];

export class Accounts1763600001000 implements MigrationInterface {
  readonly name = 'Accounts1763600001000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of TABLES) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query('drop table signing_keys, refresh_tokens, sessions, accounts');
  }
}
