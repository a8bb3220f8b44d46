/** SendMessage: to a room that the sender is in, or to a participant channel, which its first message creates. */
import { channelParticipants, DomainError, isChannelRoomId, type MessageData, type RoomState } from '#contract';
import { config, member, timeline, type Command, type Decision, type PlannedEvent, type Rule } from './decision.js';
import { hidden, isMember, stranger, writeMember, writeRoster } from './seats.js';

export const sendMessage: Rule<'SendMessage'> = {
  standsOn: 'cached',
  home: ({ roomId }) => timeline(roomId),
  reads: ({ roomId, actor }) => [config(roomId), member(roomId, actor.userId)],
  // Only a channel's first message stands in a batch, which is the one that creates the channel.
  batchTrace: ({ roomId }) => (isChannelRoomId(roomId) ? config(roomId) : undefined),
  decide(command, state) {
    const { roomId, actor, body } = command;
    const sender = state.members.get(actor.userId);
    if (body.participants && !body.participants.includes(actor.userId))
      throw new DomainError('forbidden', 'forbidden: sender must be part of participants');
    if (!state.room && body.participants) return openChannel(command, body.participants);
    if (!state.room || hidden(state.room, sender)) throw new DomainError('room_not_found');
    if (!isMember(sender)) throw new DomainError('not_member');
    if (state.room.archived) throw new DomainError('room_archived');
    if (sender.muted) throw new DomainError('muted');
    return [{ ...message(command), fence: member(roomId, actor.userId) }];
  },
};

function message({ roomId, body }: Command<'SendMessage'>): PlannedEvent {
  const data: MessageData = { content: body.content, type: body.type };
  if (body.metadata) data.metadata = body.metadata;
  if (body.mentions) data.mentions = body.mentions;
  if (body.replyTo) data.replyTo = body.replyTo;
  return { to: timeline(roomId), event: { type: 'MessageSent', data } };
}

function openChannel(command: Command<'SendMessage'>, given: readonly string[]): Decision {
  const { roomId, actor } = command;
  const participants = channelParticipants(given);
  const seats = participants.length;
  const room: RoomState = {
    kind: 'channel',
    name: '',
    description: '',
    isPrivate: true,
    maxMembers: seats,
    settings: {},
    createdBy: actor.userId,
    archived: false,
    participants,
  };
  return [
    { to: config(roomId), event: { type: 'RoomCreated', data: { room } }, fence: config(roomId) },
    writeRoster(roomId, { members: seats, limit: seats, moderators: [] }),
    ...participants.map((userId) => writeMember(roomId, 'MemberJoined', { ...stranger(userId), standing: 'member' })),
    message(command),
  ];
}
