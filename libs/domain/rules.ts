/** Every command's rule. A command without one does not compile. */
import type { CommandName } from '#contract';
import type { Rule } from './decision.js';
import { inviteMember, joinRoom, leaveRoom, removeMember } from './membership.js';
import { changeMember } from './moderation.js';
import { archiveRoom, changeRoom, createRoom } from './rooms.js';
import { sendMessage } from './sending.js';
import { changeProfile, setStatus } from './users.js';

export const RULES: { readonly [N in CommandName]: Rule<N> } = {
  SendMessage: sendMessage,
  CreateRoom: createRoom,
  ChangeRoom: changeRoom,
  ArchiveRoom: archiveRoom,
  JoinRoom: joinRoom,
  InviteMember: inviteMember,
  ChangeMember: changeMember,
  LeaveRoom: leaveRoom,
  RemoveMember: removeMember,
  SetStatus: setStatus,
  ChangeProfile: changeProfile,
};
