/** Idempotency keys that the broker may have forgotten: what a late retry is answered with. */
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity({ name: 'message_keys' })
export class StoredMessageKey {
  /** The broker's message id: a hash of sender, command, room and the client's key. */
  @PrimaryColumn({ name: 'id', type: 'text' })
  id!: string;

  @Column({ name: 'partition', type: 'int' })
  partition!: number;

  /** Of the command's last event. */
  @Column({ name: 'seq', type: 'bigint' })
  seq!: number;

  /** Hash of the command's body: the same key with another one is refused. */
  @Column({ name: 'body', type: 'text' })
  body!: string;
}
