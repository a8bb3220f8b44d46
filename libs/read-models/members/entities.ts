/** Memberships as they are (`members`) and the periods in which they stood (`member_periods`), which also tell who came and went. */
import { Column, Entity, Index, PrimaryColumn } from 'typeorm';

@Entity({ name: 'members' })
@Index('members_user_id_idx', ['userId'])
export class StoredMember {
  @PrimaryColumn({ name: 'room_id', type: 'text' })
  roomId!: string;

  @PrimaryColumn({ name: 'user_id', type: 'text' })
  userId!: string;

  @Column({ name: 'partition', type: 'int' })
  partition!: number;

  /** Of the membership event. */
  @Column({ name: 'seq', type: 'bigint' })
  seq!: number;

  @Column({ name: 'standing', type: 'text' })
  standing!: string;

  @Column({ name: 'role', type: 'text' })
  role!: string;

  @Column({ name: 'muted', type: 'boolean' })
  muted!: boolean;

  @Column({ name: 'banned', type: 'boolean' })
  banned!: boolean;

  @Column({ name: 'joined_at', type: 'bigint', nullable: true })
  joinedAt!: number | null;

  /** Messages in the room when this user joined: what came before is not unread. */
  @Column({ name: 'joined_ordinal', type: 'bigint', default: 0 })
  joinedOrdinal!: number;

  /** Ordinal of this user's own last message: who sends has read what stands above. */
  @Column({ name: 'sent_ordinal', type: 'bigint', default: 0 })
  sentOrdinal!: number;
}

@Entity({ name: 'member_periods' })
@Index('member_periods_room_id_from_seq_idx', ['roomId', 'fromSeq'])
@Index('member_periods_room_id_to_seq_idx', ['roomId', 'toSeq'], { where: 'to_seq IS NOT NULL' })
export class MemberPeriod {
  @PrimaryColumn({ name: 'room_id', type: 'text' })
  roomId!: string;

  @PrimaryColumn({ name: 'user_id', type: 'text' })
  userId!: string;

  /** Of the event that began it. */
  @PrimaryColumn({ name: 'from_seq', type: 'bigint' })
  fromSeq!: number;

  @Column({ name: 'partition', type: 'int' })
  partition!: number;

  @Column({ name: 'from_at', type: 'bigint' })
  fromAt!: number;

  /** Of the event that ended it; null while it lasts. */
  @Column({ name: 'to_seq', type: 'bigint', nullable: true })
  toSeq!: number | null;

  @Column({ name: 'to_at', type: 'bigint', nullable: true })
  toAt!: number | null;
}
