/** How far each read model has come in each partition. */
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity({ name: 'checkpoints' })
export class StoredCheckpoint {
  @PrimaryColumn({ name: 'model', type: 'text' })
  model!: string;

  @PrimaryColumn({ name: 'partition', type: 'int' })
  partition!: number;

  @Column({ name: 'epoch', type: 'text' })
  epoch!: string;

  @Column({ name: 'seq', type: 'bigint' })
  seq!: number;

  /** Of the event at `seq`. */
  @Column({ name: 'at', type: 'bigint' })
  at!: number;

  /** Rises whenever read models are swapped: a leader that finds another one than it knew loads its state again. */
  @Column({ name: 'generation', type: 'int', default: 0 })
  generation!: number;
}
