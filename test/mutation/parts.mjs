/** What is mutated, and the specs that are about it: a mutant is judged by those, so that a run takes minutes. */
export const PARTS = {
  domain: {
    mutate: ['libs/domain/*.ts', '!libs/domain/index.ts'],
    specs: ['libs/domain/{users,membership,moderation,rooms,rules,sending,versions}.spec.ts'],
  },
  resume: {
    mutate: [
      'apps/gateway/feed/{opening,room,room-reads,tail,local-user,visible,partition}.ts',
      'libs/client/room-sync.ts',
    ],
    specs: [
      'apps/gateway/feed/{feed,lost-copies,openings,stale,tail,visible}.spec.ts',
      'libs/client/{testing,reducer}.spec.ts',
    ],
  },
};
