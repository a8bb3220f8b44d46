import { describe, expect, test } from '@jest/globals';
import { project, useDatabases } from '../test-database.js';
import { TestLog } from '../test-log.js';
import { findKey } from './queries.js';

const databases = useDatabases();

// An atomic batch of the log can be cut by a batch of the projection.
describe.each([1, 2, 3, 100])('keys, in batches of %i', (batch) => {
  test('a key leads to the last event of the first command that used it', async () => {
    const database = await databases.fresh();
    const log = new TestLog(1);
    log.say('r', 'ann', 'before'); // 1
    log.say('r', 'ann', 'one', 'k'); // 2
    log.say('r', 'ann', 'two', 'k'); // 3
    log.say('r', 'ann', 'three', 'k'); // 4
    log.say('r', 'ann', 'between', 'other'); // 5
    log.say('r', 'ann', 'much later', 'k'); // 6
    await project(database, log, { batch });
    expect(await findKey(database, 0, 'k')).toEqual({ partition: 0, seq: 4, body: 'body of k' });
    expect(await findKey(database, 0, 'other')).toMatchObject({ seq: 5 });
    expect(await findKey(database, 1, 'k')).toBeUndefined();
    expect(await findKey(database, 0, 'none')).toBeUndefined();
  });
});
