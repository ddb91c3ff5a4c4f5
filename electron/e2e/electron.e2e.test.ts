/**
 * The desktop shell with Electron's real binary, where there is one: the window opens sandboxed and
 * shows the app. Where there is none the test is reported as skipped, with what is missing.
 */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'node:test';
import { _electron } from 'playwright-core';
import { pathsIn } from '../paths.ts';

const base = resolve(import.meta.dirname, '../..');
const { electronProgram, electronMain } = pathsIn(base);

function missing(): string | false {
  if (!existsSync(electronProgram)) return `no Electron binary at ${electronProgram}`;
  if (!existsSync(electronMain)) return `no bundle at ${electronMain}: run scripts/setup start`;
  if (process.getuid?.() === 0) return 'the Electron sandbox does not run as root';
  if (!process.env.DISPLAY && !process.env.WAYLAND_DISPLAY) return 'no display';
  return false;
}

test('the window shows the app, and its page knows no Node', { skip: missing() }, async () => {
  const root = mkdtempSync(join(tmpdir(), 'corten-electron-'));
  const app = await _electron.launch({
    executablePath: electronProgram,
    args: [electronMain, '--root', root],
  });
  try {
    const page = await app.firstWindow();
    await page.getByRole('navigation').first().waitFor();
    const seen = await page.evaluate(() => [
      typeof Reflect.get(globalThis, 'process'),
      typeof Reflect.get(globalThis, 'require'),
    ]);
    assert.deepEqual(seen, ['undefined', 'undefined']);
    assert.ok(!page.url().startsWith('http'), page.url());
  } finally {
    await app.close();
    rmSync(root, { recursive: true, force: true });
  }
});
