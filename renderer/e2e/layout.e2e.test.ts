/** In a small window every place still fits: nothing sticks out of its box, no words out of a button. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import type { Locator } from 'playwright-core';
import { type App, startApp, starterImage } from './app.ts';

let app: App;
before(async () => {
  app = await startApp();
  await app.docker('run', '-dit', '--name', 'web', '-p', '127.0.0.1::80', starterImage);
  await app.docker('volume', 'create', '-o', 'size=64m', 'data-of-a-long-name-'.repeat(8));
});
after(async () => app?.docker('volume', 'rm', 'data-of-a-long-name-'.repeat(8)));
after(() => app?.close());

/** What of the page is wider than its box, or taller than its button. Only text scrolls sideways. */
function misfits(): Promise<string[]> {
  return app.page.evaluate(() => {
    const inside = (selector: string) =>
      [...document.querySelectorAll<HTMLElement>(selector)].filter((box) => box.clientWidth > 0);
    const name = (box: HTMLElement) => `${box.tagName} ${box.className}: ${box.textContent}`;
    const edge = document.querySelector('main')?.getBoundingClientRect().right ?? 0;
    return [
      // A page scrolls at the window's edge, however narrow what it holds.
      ...inside('main .page-body').filter((box) => box.getBoundingClientRect().right < edge - 1),
      ...inside('main, main section, main header, main form, main nav').filter(
        (box) => box.scrollWidth > box.clientWidth + 1 && !box.querySelector(':scope > pre'),
      ),
      ...inside('main button, main [role=combobox]').filter(
        (box) => box.scrollHeight > box.clientHeight + 2,
      ),
    ].map((box) => name(box).slice(0, 120));
  });
}

async function assertInSight(what: Locator): Promise<void> {
  const box = await what.boundingBox();
  const height = app.page.viewportSize()?.height ?? 0;
  assert.ok(box && box.y >= 0 && box.y + box.height <= height, JSON.stringify(box));
}

for (const [width, height] of [
  [900, 600],
  [1100, 700],
  [1280, 800],
  [1700, 900],
] as const)
  test(`every place fits in ${width} x ${height}`, async () => {
    const { page } = app;
    await page.setViewportSize({ width, height });
    const id = (await app.docker('inspect', '-f', '{{.Id}}', 'web')).slice(0, 12);
    for (const [place, text] of [
      ['/', 'web'],
      ['/new', 'Create and start'],
      ['/images', starterImage],
      ['/volumes', 'of 64 MiB'],
      ['/activity', 'create'],
      ['/machine', 'Last start'],
      [`/containers/${id}`, 'Environment'],
      [`/containers/${id}/terminal`, 'Shell 1'],
      [`/containers/${id}/logs`, 'Follow'],
      [`/containers/${id}/limits`, 'Apply now'],
      [`/containers/${id}/inspect`, 'HostConfig'],
    ] as const) {
      await app.go(place);
      await page.getByRole('main').getByText(text).first().waitFor();
      assert.deepEqual(await misfits(), [], place);
    }
  });

test('a machine with a long name keeps its button, and its neighbours theirs', async () => {
  const { page } = app;
  await page.setViewportSize({ width: 1024, height: 640 });
  const name = 'A machine whose name somebody typed in full, up to the end..';
  await page.getByRole('button', { name: 'Add a machine' }).click();
  if (await page.getByRole('combobox', { name: 'Kind' }).isVisible()) {
    await page.getByRole('combobox', { name: 'Kind' }).click();
    await page.getByRole('option', { name: 'Another computer, over SSH' }).click();
  }
  await page.getByLabel('Host').fill('root@127.0.0.1:1');
  await page.getByRole('textbox', { name: 'Name' }).fill(name);
  await page.getByRole('button', { name: 'Add and connect' }).click();
  await page.getByText('nothing accepts connections there').waitFor();
  const edge = (await page.getByRole('main').boundingBox())?.x ?? 0;
  for (const each of [name, 'This computer']) {
    const box = await page.getByRole('button', { name: `Actions for ${each}` }).boundingBox();
    assert.ok(box && box.x >= 0 && box.x + box.width < edge, JSON.stringify(box));
  }
  // One that is too long stays in its field to be put right.
  await page.getByRole('button', { name: `Actions for ${name}` }).click();
  await page.getByRole('menuitem', { name: 'Rename' }).click();
  await page.getByRole('textbox', { name: 'Name' }).fill(`${name}.`);
  await page.getByRole('button', { name: 'Rename' }).last().click();
  await page.getByRole('dialog').getByText('has 1 to 60 characters').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: `Actions for ${name}` }).click();
  await page.getByRole('menuitem', { name: 'Remove…' }).click();
  await page.getByRole('button', { name: 'Remove from the list' }).click();
  await page.getByText(`${name} was removed.`).waitFor();
});

test('in a small window the form keeps its button in sight, and what came of it', async () => {
  const { page } = app;
  await page.setViewportSize({ width: 900, height: 600 });
  await app.go('/');
  await app.go('/new');
  const create = page.getByRole('button', { name: 'Create and start' });
  await create.waitFor();
  await page.getByRole('combobox', { name: 'Image' }).scrollIntoViewIfNeeded();
  await assertInSight(create);
  await page.getByRole('combobox', { name: 'Image' }).fill(starterImage);
  await page.getByRole('textbox', { name: 'Command', exact: true }).fill('/no/such/program');
  await create.click();
  const failure = page.getByRole('alert').getByText('/no/such/program');
  await failure.waitFor();
  await assertInSight(failure);
});
