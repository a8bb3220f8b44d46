import type { MigrationInterface, QueryRunner } from 'typeorm';

/**
 * Indexes have the names that PostgreSQL would choose: a rebuild makes its tables with `like ... including all`, which
 * names them so, and after the swap they still agree with the entities. Narrow tables that are updated all the time leave
 * room on their pages, so that a new version of a row stays beside the old one and no index has to follow.
 */
const TABLES = [
  `create table rooms (
    room_id text primary key,
    partition int not null,
    seq bigint not null,
    kind text not null,
    name text not null,
    name_key text not null,
    description text not null,
    is_private boolean not null,
    archived boolean not null,
    max_members int not null,
    settings jsonb not null,
    participants jsonb,
    created_by text not null,
    created_at bigint not null)`,
  `create index rooms_name_key_room_id_idx on rooms (name_key, room_id)
    where kind = 'room' and not is_private and not archived`,
  `create table room_tails (
    room_id text primary key,
    partition int not null,
    last_ordinal bigint not null default 0,
    last_seq bigint not null default 0,
    last_at bigint not null default 0,
    member_count int not null default 0,
    roster_seq bigint not null default 0) with (fillfactor = 70)`,
  `create table members (
    room_id text not null,
    user_id text not null,
    partition int not null,
    seq bigint not null,
    standing text not null,
    role text not null,
    muted boolean not null,
    banned boolean not null,
    joined_at bigint,
    joined_ordinal bigint not null default 0,
    sent_ordinal bigint not null default 0,
    primary key (room_id, user_id)) with (fillfactor = 80)`,
  `create index members_user_id_idx on members (user_id)`,
  `create table member_periods (
    room_id text not null,
    user_id text not null,
    from_seq bigint not null,
    partition int not null,
    from_at bigint not null,
    to_seq bigint,
    to_at bigint,
    primary key (room_id, user_id, from_seq))`,
  `create index member_periods_room_id_from_seq_idx on member_periods (room_id, from_seq)`,
  `create index member_periods_room_id_to_seq_idx on member_periods (room_id, to_seq) where to_seq is not null`,
  `create table messages (
    room_id text not null,
    seq bigint not null,
    partition int not null,
    ordinal bigint not null,
    at bigint not null,
    sender text not null,
    type text not null,
    content text not null,
    metadata jsonb,
    mentions jsonb,
    reply_to text,
    primary key (room_id, seq))`,
  `create table message_keys (
    id text primary key,
    partition int not null,
    seq bigint not null,
    body text not null)`,
  `create table statuses (
    user_id text primary key,
    partition int not null,
    seq bigint not null,
    online boolean,
    status jsonb not null,
    at bigint not null)`,
  `create table profiles (
    user_id text primary key,
    partition int not null,
    seq bigint not null,
    username text not null,
    display_name text not null,
    avatar_url text not null)`,
  `create table checkpoints (
    model text not null,
    partition int not null,
    epoch text not null,
    seq bigint not null,
    at bigint not null,
    generation int not null default 0,
    primary key (model, partition)) with (fillfactor = 50)`,
  `create table dead_letters (
    partition int not null,
    seq bigint not null,
    subject text not null,
    reason text not null,
    at bigint not null,
    primary key (partition, seq))`,
  `create table marks (
    user_id text not null,
    room_id text not null,
    partition int not null,
    read_seq bigint not null default 0,
    read_ordinal bigint not null default 0,
    delivered_seq bigint not null default 0,
    delivered_ordinal bigint not null default 0,
    primary key (user_id, room_id)) with (fillfactor = 80)`,
];

const NAMES = [
  'rooms',
  'room_tails',
  'members',
  'member_periods',
  'messages',
  'message_keys',
  'statuses',
  'profiles',
  'checkpoints',
  'dead_letters',
  'marks',
];

export class ReadModels1763600000000 implements MigrationInterface {
  readonly name = 'ReadModels1763600000000';

  async up(runner: QueryRunner): Promise<void> {
    for (const statement of TABLES) await runner.query(statement);
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`drop table ${NAMES.join(', ')}`);
  }
}
