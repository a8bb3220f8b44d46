/** Events that no attempt could apply. The log still has them; here stands where and why. */
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity({ name: 'dead_letters' })
export class DeadLetter {
  @PrimaryColumn({ name: 'partition', type: 'int' })
  partition!: number;

  @PrimaryColumn({ name: 'seq', type: 'bigint' })
  seq!: number;

  @Column({ name: 'subject', type: 'text' })
  subject!: string;

  @Column({ name: 'reason', type: 'text' })
  reason!: string;

  @Column({ name: 'at', type: 'bigint' })
  at!: number;
}
