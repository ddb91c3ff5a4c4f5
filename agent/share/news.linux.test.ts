/** What the host changes while the line is about to break, or for long: the machine never goes by what was. */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type FolderOfAgents, folderOfAgents } from './testdata/folder-of-agents.ts';

const run = promisify(execFile);
let folder: FolderOfAgents;

afterEach(() => folder.close());

const onHost = (path: string) => join(folder.host, path);
const inGuest = async (command: string) =>
  (await run('sh', ['-c', `${command}; true`], { cwd: folder.guest })).stdout;

/** The kernel is told by a thread of its own: soon, and not at once. */
async function becomes(command: string, wanted: string): Promise<void> {
  let said = '';
  for (const end = performance.now() + 60_000; performance.now() < end; await sleep(20)) {
    said = await inGuest(command);
    if (said === wanted) return;
  }
  assert.equal(said, wanted);
}

// By its name first: a list would bring it.
const look = 'cat later 2>/dev/null || echo none; cat file sub/file; ls; ls sub';

function lay(): void {
  mkdirSync(onHost('sub'));
  writeFileSync(onHost('file'), 'old\n');
  writeFileSync(onHost('sub/file'), 'old in sub\n');
  writeFileSync(onHost('sub/gone'), '');
}
const before = 'none\nold\nold in sub\nfile\nsub\nfile\ngone\n';

function change(): void {
  writeFileSync(onHost('file'), 'new\n');
  writeFileSync(onHost('sub/file'), 'new in sub\n');
  writeFileSync(onHost('later'), 'is there\n');
  rmSync(onHost('sub/gone'));
}
const afterwards = 'is there\nnew\nnew in sub\nfile\nlater\nsub\nfile\n';

test('changes that were on their way when the line broke are told again', async () => {
  folder = await folderOfAgents();
  lay();
  await becomes(look, before);
  const lost = folder.loseNews();
  change();
  await lost;
  await folder.stopHost();
  await folder.startHost();
  await becomes('cat later 2>/dev/null', 'is there\n');
  await becomes(look, afterwards);
  // And from there on as ever.
  writeFileSync(onHost('file'), 'newer\n');
  await becomes('cat file', 'newer\n');
});

test('more changes than are kept while the line is down: nothing that was known is gone by', async () => {
  folder = await folderOfAgents({ mostPending: 2 });
  lay();
  await becomes(look, before);
  await folder.stopHost();
  change();
  await folder.startHost();
  await becomes('cat later 2>/dev/null', 'is there\n');
  await becomes(look, afterwards);
  writeFileSync(onHost('file'), 'newer\n');
  await becomes('cat file', 'newer\n');
});

test('another agent that finds the folder sees what has changed meanwhile, in its uppermost folder too', async () => {
  folder = await folderOfAgents();
  lay();
  await becomes(look, before);
  await folder.endAgent('SIGKILL');
  change();
  await folder.startAgent();
  await becomes('cat later 2>/dev/null', 'is there\n');
  await becomes(look, afterwards);
});
