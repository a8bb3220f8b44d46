/** Rules about a user's own subjects: SetStatus, ChangeProfile. Each event carries the whole state. */
import { fields, LIMITS, type Actor } from '#contract';
import { profile, status, type Rule } from './decision.js';

export const setStatus: Rule<'SetStatus'> = {
  standsOn: 'cached',
  home: ({ actor }) => status(actor.userId),
  reads: ({ actor }) => [status(actor.userId)],
  resultId: ({ actor }) => actor.userId,
  decide({ actor, body }, state) {
    if (body.online === undefined && body.status === undefined) return [];
    // Hidden stays hidden until said otherwise. Being online is a statement about its own moment: it is not repeated.
    const online = body.online ?? (state.status?.online === false ? false : undefined);
    const data = { ...(online === undefined ? {} : { online }), status: body.status ?? state.status?.status ?? {} };
    return [{ to: status(actor.userId), event: { type: 'StatusChanged', data }, fence: status(actor.userId) }];
  },
};

export const changeProfile: Rule<'ChangeProfile'> = {
  standsOn: 'cached',
  home: ({ actor }) => profile(actor.userId),
  reads: ({ actor }) => [profile(actor.userId)],
  resultId: ({ actor }) => actor.userId,
  decide({ actor, body }, state) {
    const before = state.profile ?? { username: firstName(actor), displayName: '', avatarUrl: '' };
    const data = {
      username: body.username ?? before.username,
      displayName: body.displayName ?? before.displayName,
      avatarUrl: body.avatarUrl ?? before.avatarUrl,
    };
    const same =
      data.username === before.username &&
      data.displayName === before.displayName &&
      data.avatarUrl === before.avatarUrl;
    if (same) return [];
    return [{ to: profile(actor.userId), event: { type: 'ProfileChanged', data }, fence: profile(actor.userId) }];
  },
};

/** The name before any was chosen: the token's, where it is one, else the beginning of the id. */
function firstName(actor: Actor): string {
  const claimed = fields.name.safeParse(actor.username);
  return claimed.success ? claimed.data : [...actor.userId].slice(0, LIMITS.nameCharacters).join('').trim();
}
