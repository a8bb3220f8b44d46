/** The messages of all rooms. A message's id is its sequence and partition, so none is stored. */
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity({ name: 'messages' })
export class StoredMessage {
  @PrimaryColumn({ name: 'room_id', type: 'text' })
  roomId!: string;

  @PrimaryColumn({ name: 'seq', type: 'bigint' })
  seq!: number;

  @Column({ name: 'partition', type: 'int' })
  partition!: number;

  /** 1 for the room's first message. */
  @Column({ name: 'ordinal', type: 'bigint' })
  ordinal!: number;

  @Column({ name: 'at', type: 'bigint' })
  at!: number;

  @Column({ name: 'sender', type: 'text' })
  sender!: string;

  @Column({ name: 'type', type: 'text' })
  type!: string;

  @Column({ name: 'content', type: 'text' })
  content!: string;

  @Column({ name: 'metadata', type: 'jsonb', nullable: true })
  metadata!: Record<string, string> | null;

  @Column({ name: 'mentions', type: 'jsonb', nullable: true })
  mentions!: string[] | null;

  @Column({ name: 'reply_to', type: 'text', nullable: true })
  replyTo!: string | null;
}
