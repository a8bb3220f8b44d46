/** How far users have read, and received. Not events: a rebuild leaves them alone, and a backup needs them. */
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity({ name: 'marks' })
export class Mark {
  @PrimaryColumn({ name: 'user_id', type: 'text' })
  userId!: string;

  @PrimaryColumn({ name: 'room_id', type: 'text' })
  roomId!: string;

  @Column({ name: 'partition', type: 'int' })
  partition!: number;

  @Column({ name: 'read_seq', type: 'bigint', default: 0 })
  readSeq!: number;

  @Column({ name: 'read_ordinal', type: 'bigint', default: 0 })
  readOrdinal!: number;

  @Column({ name: 'delivered_seq', type: 'bigint', default: 0 })
  deliveredSeq!: number;

  @Column({ name: 'delivered_ordinal', type: 'bigint', default: 0 })
  deliveredOrdinal!: number;
}
