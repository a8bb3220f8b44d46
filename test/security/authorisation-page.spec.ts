import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { projectRoot } from '#embedded';
import { authorisationPage } from './authorisation-page.js';
import { faultsOf } from './matrix.js';

test('docs/AUTHORISATION.md is what the rules say; else run test/security/write-authorisation.ts', () => {
  expect(readFileSync(join(projectRoot(), 'docs', 'AUTHORISATION.md'), 'utf8')).toBe(authorisationPage());
});

test('a case that is not as the rules say is told in a table', () => {
  const asked = { what: 'GET /api/rooms', who: 'stranger, private room', expected: 'room_not_found' };
  expect(faultsOf([{ ...asked, outcome: { verdict: 'room_not_found', shown: '404' } }])).toBe('');
  const table = faultsOf([{ ...asked, outcome: { verdict: 'ok', shown: '200 {}' } }]);
  expect(table).toMatch(
    /^1 of 1 cases.*\nwhat +who +expected +came +\nGET \/api\/rooms +stranger, private room +room_not_found +ok +200 \{\}$/,
  );
});
