/** What the platform says of itself, as a reader and as a program get it. */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { Browser } from 'playwright-core';
import { asyncApi, openApi, ROUTES } from '#contract/descriptions';
import { startBrowser } from '../browser.js';
import { worldOf } from './world.js';

const world = worldOf({ PARLEY_DEMO: '1' });
let browser: Browser;
beforeAll(async () => {
  browser = await startBrowser();
}, 60_000);
afterAll(() => browser?.close());

test('the descriptions are served as they are made of the contract', async () => {
  expect((await world.http.get('/openapi.json')).json).toEqual(openApi());
  expect((await world.http.get('/asyncapi.json')).json).toEqual(asyncApi());
});

test('every route that is described is there', async () => {
  for (const { method, path } of ROUTES) {
    const { status, json } = await world.http.call(method, path.replace(/:[A-Za-z]+/g, 'x'), { token: 'none' });
    expect({ method, path, status, code: json['code'] }).not.toMatchObject({ code: 'not_found' });
    expect({ method, path, status }).not.toMatchObject({ status: 405 });
  }
});

test('the page to read opens under the policy, needs nobody else, and has every route', async () => {
  const page = await (await browser.newContext()).newPage();
  const faults: string[] = [];
  const asked: string[] = [];
  page.on('console', (message) => faults.push(message.text()));
  page.on('request', (request) => asked.push(new URL(request.url()).host));
  await page.goto(`${world.platform.url}/docs`);
  const host = new URL(world.platform.url).host;
  expect(asked.filter((each) => each !== host)).toEqual([]);
  expect(faults.filter((text) => !text.includes('favicon'))).toEqual([]);
  const shown = await page.locator('summary').allInnerTexts();
  for (const { method, path } of ROUTES) {
    const template = path.replace(/:([A-Za-z]+)/g, '{$1}');
    expect(shown.filter((text) => text.startsWith(`${method} ${template} `))).toHaveLength(1);
  }
  const route = page.locator('details', { hasText: 'Send a message' }).first();
  expect(await route.locator('pre').first().isVisible()).toBe(false);
  await route.locator('summary').click();
  expect(await route.locator('pre').first().innerText()).toContain('"content"');
  await page.getByRole('link', { name: 'frames' }).click();
  expect(shown).toContain('server.event.message.sent');
});
