/** A log in plain arrays, for specs of what events do to tables: says what happened, in words of the domain. */
import '@jest/globals';
import { type ChatEvent, type MemberState, messageId, type RoomState, Subjects } from '#contract';
import type { LogEntry } from './read-model.js';

type NewEvent = ChatEvent extends infer E ? (E extends ChatEvent ? Omit<E, 'v' | 'actor'> : never) : never;

export const FIRST_AT = Date.UTC(2026, 0, 1);

export class TestLog {
  readonly subjects: Subjects;
  readonly entries: LogEntry[][];
  private at = FIRST_AT;

  constructor(readonly partitions = 2) {
    this.subjects = new Subjects(partitions);
    this.entries = Array.from({ length: partitions }, () => []);
  }

  /** @returns its sequence */
  add(subject: string, actor: string, event: NewEvent): number {
    const partition = Number(subject.split('.')[1]);
    const entries = this.of(partition);
    const seq = entries.length + 1;
    const decoded = { kind: 'event', event: { v: 1, actor, ...event } as ChatEvent } as const;
    entries.push({ partition, seq, subject, at: (this.at += 1_000), decoded });
    return seq;
  }

  /** An entry that cannot be taken for an event. */
  addRaw(subject: string, decoded: LogEntry['decoded']): number {
    const partition = Number(subject.split('.')[1]);
    const entries = this.of(partition);
    entries.push({ partition, seq: entries.length + 1, subject, at: (this.at += 1_000), decoded });
    return entries.length;
  }

  of(partition: number): LogEntry[] {
    return this.entries[partition] as LogEntry[];
  }

  ofRoom(roomId: string): LogEntry[] {
    return this.of(this.subjects.partitionOfRoom(roomId));
  }

  room(roomId: string, owner: string, given: Partial<RoomState> = {}): void {
    const room: RoomState = {
      kind: 'room',
      name: roomId,
      description: '',
      isPrivate: false,
      maxMembers: 100,
      settings: {},
      createdBy: owner,
      archived: false,
      ...given,
    };
    this.add(this.subjects.config(roomId), owner, { type: 'RoomCreated', data: { room } });
    this.member(roomId, owner, 'MemberJoined', { standing: 'member', role: 'owner' });
  }

  changeRoom(roomId: string, actor: string, room: RoomState): void {
    this.add(this.subjects.config(roomId), actor, { type: 'RoomChanged', data: { room } });
  }

  roster(roomId: string, members: number): void {
    const roster = { members, limit: 100, moderators: [] };
    this.add(this.subjects.roster(roomId), 'anyone', { type: 'RosterChanged', data: { roster } });
  }

  join(roomId: string, ...userIds: string[]): void {
    for (const userId of userIds) this.member(roomId, userId, 'MemberJoined', { standing: 'member' });
  }

  leave(roomId: string, userId: string): number {
    return this.member(roomId, userId, 'MemberLeft', { standing: 'left' });
  }

  member(
    roomId: string,
    userId: string,
    type: `Member${'Joined' | 'Left' | 'Removed' | 'Invited' | 'Changed'}`,
    given: Partial<MemberState>,
  ): number {
    const member: MemberState = { userId, standing: 'removed', role: 'member', muted: false, banned: false, ...given };
    return this.add(this.subjects.member(roomId, userId), userId, { type, data: { member } });
  }

  /** @returns the message's id */
  say(roomId: string, userId: string, content: string, key?: string): string {
    const keyed = key === undefined ? {} : { key: { id: key, body: `body of ${key}` } };
    const data = { content, type: 'text' as const };
    const seq = this.add(this.subjects.timeline(roomId), userId, { type: 'MessageSent', ...keyed, data });
    return messageId({ partition: this.subjects.partitionOfRoom(roomId), seq });
  }
}
