/** Rooms: what they are (`rooms`, changed rarely) and what moves with every message (`room_tails`, narrow, so that it stays in place). */
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

@Entity({ name: 'rooms' })
@Index('rooms_name_key_room_id_idx', ['nameKey', 'roomId'], {
  where: `kind = 'room' AND NOT is_private AND NOT archived`,
})
export class StoredRoom {
  @PrimaryColumn({ name: 'room_id', type: 'text' })
  roomId!: string;

  @Column({ name: 'partition', type: 'int' })
  partition!: number;

  /** Of the config event. */
  @Column({ name: 'seq', type: 'bigint' })
  seq!: number;

  @Column({ name: 'kind', type: 'text' })
  kind!: string;

  @Column({ name: 'name', type: 'text' })
  name!: string;

  /** Lower-cased: what lists are sorted by and searched in. */
  @Column({ name: 'name_key', type: 'text' })
  nameKey!: string;

  @Column({ name: 'description', type: 'text' })
  description!: string;

  @Column({ name: 'is_private', type: 'boolean' })
  isPrivate!: boolean;

  @Column({ name: 'archived', type: 'boolean' })
  archived!: boolean;

  @Column({ name: 'max_members', type: 'int' })
  maxMembers!: number;

  @Column({ name: 'settings', type: 'jsonb' })
  settings!: Record<string, string>;

  @Column({ name: 'participants', type: 'jsonb', nullable: true })
  participants!: string[] | null;

  @Column({ name: 'created_by', type: 'text' })
  createdBy!: string;

  /** ms since 1970, as all times here: the broker's clock of the entry. */
  @Column({ name: 'created_at', type: 'bigint' })
  createdAt!: number;
}

@Entity({ name: 'room_tails' })
export class RoomTail {
  @PrimaryColumn({ name: 'room_id', type: 'text' })
  roomId!: string;

  @Column({ name: 'partition', type: 'int' })
  partition!: number;

  /** Messages in the room. */
  @Column({ name: 'last_ordinal', type: 'bigint', default: 0 })
  lastOrdinal!: number;

  /** Of the last message. */
  @Column({ name: 'last_seq', type: 'bigint', default: 0 })
  lastSeq!: number;

  @Column({ name: 'last_at', type: 'bigint', default: 0 })
  lastAt!: number;

  @Column({ name: 'member_count', type: 'int', default: 0 })
  memberCount!: number;

  @Column({ name: 'roster_seq', type: 'bigint', default: 0 })
  rosterSeq!: number;
}
