/** What users say of themselves: their status and their profile. */
import { Column, Entity, PrimaryColumn } from 'typeorm';

@Entity({ name: 'statuses' })
export class StoredStatus {
  @PrimaryColumn({ name: 'user_id', type: 'text' })
  userId!: string;

  @Column({ name: 'partition', type: 'int' })
  partition!: number;

  @Column({ name: 'seq', type: 'bigint' })
  seq!: number;

  /** Null where the command did not say. */
  @Column({ name: 'online', type: 'boolean', nullable: true })
  online!: boolean | null;

  @Column({ name: 'status', type: 'jsonb' })
  status!: Record<string, string>;

  @Column({ name: 'at', type: 'bigint' })
  at!: number;
}

@Entity({ name: 'profiles' })
export class StoredProfile {
  @PrimaryColumn({ name: 'user_id', type: 'text' })
  userId!: string;

  @Column({ name: 'partition', type: 'int' })
  partition!: number;

  @Column({ name: 'seq', type: 'bigint' })
  seq!: number;

  @Column({ name: 'username', type: 'text' })
  username!: string;

  @Column({ name: 'display_name', type: 'text' })
  displayName!: string;

  @Column({ name: 'avatar_url', type: 'text' })
  avatarUrl!: string;
}
