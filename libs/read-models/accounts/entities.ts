/**
 * Accounts, their sessions and the signing keys: plain tables, never events, written by `api`, and by the
 * operator's `parley user`. They are the only tables
 * here that cannot be built again from the log, so a rebuild leaves them alone and a backup needs them.
 */
import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm';

/** Somebody who can sign in. The id never changes; the name shown to others is the profile's, which may. */
@Entity({ name: 'accounts' })
export class Account {
  /** The user name first chosen, lower-cased; a demo user's is given (`user1`). */
  @PrimaryColumn({ name: 'user_id', type: 'text' })
  userId!: string;

  /** As it was typed. */
  @Column({ name: 'username', type: 'text' })
  username!: string;

  /** Lower-cased: what a sign-in by name looks for. */
  @Index('accounts_username_key', { unique: true })
  @Column({ name: 'username_key', type: 'text' })
  usernameKey!: string;

  /** Lower-cased. */
  @Index('accounts_email', { unique: true })
  @Column({ name: 'email', type: 'text' })
  email!: string;

  /** argon2id in PHC format; null for a demo user, who signs in by name alone and only in demo mode. */
  @Column({ name: 'password_hash', type: 'text', nullable: true })
  passwordHash!: string | null;

  @Column({ name: 'created_at', type: 'timestamptz', default: () => 'now()' })
  createdAt!: Date;

  /** Set by an operator: nobody signs in with it any more. */
  @Column({ name: 'disabled_at', type: 'timestamptz', nullable: true })
  disabledAt!: Date | null;

  /** Its tokens carry the claim `admin`. */
  @Column({ name: 'admin', type: 'boolean', default: false })
  admin!: boolean;
}

/** One sign-in: the family of the refresh tokens that follow from it, which end together. */
@Entity({ name: 'sessions' })
export class Session {
  @PrimaryColumn({ name: 'id', type: 'uuid' })
  id!: string;

  @Index('sessions_user')
  @ForeignKey(() => Account, 'userId', { name: 'sessions_account', onDelete: 'CASCADE' })
  @Column({ name: 'user_id', type: 'text' })
  userId!: string;

  @Column({ name: 'created_at', type: 'timestamptz', default: () => 'now()' })
  createdAt!: Date;

  @Column({ name: 'revoked_at', type: 'timestamptz', nullable: true })
  revokedAt!: Date | null;
}

/** A refresh token, known by its hash alone. A used one is kept until it ends: its second use gives a thief away. */
@Entity({ name: 'refresh_tokens' })
export class RefreshToken {
  /** SHA-256 of 256 random bits. */
  @PrimaryColumn({ name: 'token_hash', type: 'bytea' })
  tokenHash!: Buffer;

  @Index('refresh_tokens_session')
  @ForeignKey(() => Session, 'id', { name: 'refresh_tokens_session_of', onDelete: 'CASCADE' })
  @Column({ name: 'session_id', type: 'uuid' })
  sessionId!: string;

  @Column({ name: 'created_at', type: 'timestamptz', default: () => 'now()' })
  createdAt!: Date;

  @Index('refresh_tokens_end')
  @Column({ name: 'expires_at', type: 'timestamptz' })
  expiresAt!: Date;

  @Column({ name: 'used_at', type: 'timestamptz', nullable: true })
  usedAt!: Date | null;

  /** Of the token that it was answered with. */
  @Column({ name: 'successor_hash', type: 'bytea', nullable: true })
  successorHash!: Buffer | null;

  /** That token, sealed by this one: for whoever asks again because the answer was lost. */
  @Column({ name: 'successor', type: 'bytea', nullable: true })
  successor!: Buffer | null;
}

/** A key that signs our tokens; at most one is not retired. Read and written by `libs/service/signing-keys.ts`. */
@Entity({ name: 'signing_keys' })
@Index('signing_keys_active', ['algorithm'], { unique: true, where: 'retired_at IS NULL' })
export class StoredSigningKey {
  @PrimaryColumn({ name: 'kid', type: 'text' })
  kid!: string;

  @Column({ name: 'algorithm', type: 'text', default: 'EdDSA' })
  algorithm!: string;

  @Column({ name: 'public_jwk', type: 'jsonb' })
  publicJwk!: Record<string, unknown>;

  @Column({ name: 'private_jwk', type: 'jsonb' })
  privateJwk!: Record<string, unknown>;

  @Column({ name: 'created_at', type: 'timestamptz', default: () => 'now()' })
  createdAt!: Date;

  @Column({ name: 'retired_at', type: 'timestamptz', nullable: true })
  retiredAt!: Date | null;
}
