/** The plain page as two people use it: two windows of a real browser on a running platform. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { startBrowser } from '../browser.js';
import { type Standalone, startStandalone } from '../platform.js';

const DEADLINE_MS = 20_000;

let platform: Standalone;
let browser: Browser;
const faults: string[] = [];

beforeAll(async () => {
  platform = await startStandalone({ PARLEY_DEMO: '1' });
  browser = await startBrowser();
}, 120_000);

afterAll(async () => {
  await browser?.close();
  await platform?.stop();
});

async function windowOf(user: string): Promise<Page> {
  const page = await (await browser.newContext()).newPage();
  page.on('pageerror', (error) => faults.push(error.message));
  page.on('console', (message) => {
    if (message.text().includes('Content Security Policy')) faults.push(message.text());
  });
  await page.goto(`${platform.url}/?user=${user}`);
  await page.getByText('live', { exact: true }).waitFor({ timeout: DEADLINE_MS });
  return page;
}

const says = async (page: Page, text: string): Promise<void> => {
  await page.getByLabel('Message').fill(text);
  await page.getByRole('button', { name: 'Send' }).click();
};

const sees = (page: Page, line: string): Promise<void> =>
  page.getByRole('listitem').filter({ hasText: line }).waitFor({ timeout: DEADLINE_MS });

test('two demo users talk in two windows, and a third one joins', async () => {
  const [alice, bob] = [await windowOf('alice'), await windowOf('bob')];
  await sees(bob, 'user1: Hello everyone! Welcome to the chat.');
  await says(alice, 'Good morning, <b>Bob</b>');
  await sees(bob, 'user1: Good morning, <b>Bob</b>');
  await sees(alice, 'user1: Good morning, <b>Bob</b>');
  const charlie = await windowOf('charlie');
  await sees(alice, 'user3 joined');
  await says(charlie, 'Hello from the third window');
  await sees(alice, 'user3: Hello from the third window');
  await sees(bob, 'user3: Hello from the third window');
  expect(faults).toEqual([]);
});

test('a message written while the platform is away arrives once it is back', async () => {
  const [alice, bob] = [await windowOf('alice'), await windowOf('bob')];
  await platform.process.kill();
  await alice.getByText('reconnecting').waitFor({ timeout: DEADLINE_MS });
  await says(alice, 'Written in the dark');
  await platform.process.restart();
  await sees(bob, 'user1: Written in the dark');
  await sees(alice, 'user1: Written in the dark');
  expect(await bob.getByRole('listitem').filter({ hasText: 'Written in the dark' }).count()).toBe(1);
});
