/** Calls of wslapi.dll, on a library with the same functions that is built here. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import koffi from 'koffi';
import { loadWslApi } from './wslapi.ts';

const directory = mkdtempSync(join(tmpdir(), 'wslapi-'));
const library = join(directory, 'wslapi.so');
const source = join(import.meta.dirname, 'testdata/fake-wslapi.c');
after(() => rmSync(directory, { recursive: true, force: true }));

test('a name is asked for in UTF-16, and its configuration comes back', () => {
  const built = spawnSync('gcc', ['-shared', '-fPIC', '-O1', '-o', library, source]);
  assert.equal(built.status, 0, String(built.stderr));
  const api = loadWslApi(library);
  const asked = koffi.load(library).func('const char16_t *fake_asked()');
  assert.equal(api?.isRegistered('corten'), true);
  assert.equal(api?.isRegistered('Ubuntu-日本'), false);
  assert.equal(asked(), 'Ubuntu-日本');
  assert.deepEqual(api?.configuration('corten'), {
    defaultUid: 1000,
    hasInterop: true,
    mountsDrives: true,
  });
  assert.equal(api?.configuration('Ubuntu'), undefined);
});

test('where there is no such library, wsl.exe is asked instead', () => {
  assert.equal(loadWslApi(join(directory, 'none.dll')), undefined);
});
