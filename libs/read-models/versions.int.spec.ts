/** The views, made of entries as every version wrote them. */
import { expect, test } from '@jest/globals';
import { decodeEvent } from '#contract';
import { fixtureEntries } from '#testing';
import { allRows, project, useDatabases } from './test-database.js';
import { TestLog } from './test-log.js';

const PARTITIONS = 4;
const { fresh } = useDatabases();

test.each([...fixtureEntries()])('entries of version %i make the views that they tell', async (_, entries) => {
  const log = new TestLog(PARTITIONS);
  for (const { subject, data } of entries) log.addRaw(subject, decodeEvent(data));
  const database = await fresh();
  await project(database, log);
  const rows = Object.values(await allRows(database))
    .flat()
    .join('\n');
  for (const told of ['The den', 'Grüße', 'kurz', 'Bob Smith', 'good', 'olga']) expect(rows).toContain(told);
});
