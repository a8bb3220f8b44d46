/** What is mutated, and the specs that are about it: a mutant is judged by those, so that a run takes minutes. */
const feed = (name) => `apps/gateway/feed/${name}`;

export const PARTS = {
  domain: {
    mutate: ['libs/domain/*.ts', '!libs/domain/index.ts'],
    judges: ['membership', 'moderation', 'rooms', 'rules', 'sending', 'users', 'versions'].map(
      (name) => `libs/domain/${name}.spec.ts`,
    ),
  },
  resume: {
    mutate: [
      feed('{opening,room,room-reads,tail,local-user,visible,partition}.ts'),
      'libs/client/{connection,outbox,room-sync,state}.ts',
    ],
    judges: [
      ...[
        'feed',
        'local-user',
        'lost-copies',
        'moments',
        'opening',
        'opening-memberships',
        'openings',
        'partition',
        'room',
        'room-holes',
        'room-readers',
        'room-reads',
        'stale',
        'tail',
        'visible',
      ].map((name) => feed(`${name}.spec.ts`)),
      'apps/gateway/queues.spec.ts',
      ...['connection', 'outbox', 'reducer', 'room-sync', 'testing'].map((name) => `libs/client/${name}.spec.ts`),
    ],
  },
};
