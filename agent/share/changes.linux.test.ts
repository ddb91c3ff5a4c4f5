/** What the host changes: inotify in the machine hears it once and rightly, and caches are not stale. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, execFileSync, spawn } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { type MountedFolder, mountFolder } from './testdata/mounted-folder.ts';

const run = promisify(execFile);
let folder: MountedFolder;
let program: string;

before(async () => {
  folder = await mountFolder();
  program = join(folder.directory, 'inotify');
  execFileSync('gcc', ['-O1', '-o', program, join(import.meta.dirname, 'testdata/inotify.c')]);
});

after(async () => {
  await folder.close();
  assert.deepEqual(folder.failures, []);
});

const onHost = (path: string) => join(folder.host, path);
const inGuest = (command: string) =>
  run('sh', ['-c', command], { cwd: folder.guest, encoding: 'latin1' });

/** Watches paths in the machine while `change` is made on the host, and returns what was heard. */
async function heard(
  paths: string[],
  change: () => void | Promise<void>,
  end = join(paths[0]!, 'end'),
): Promise<string[]> {
  const watcher = spawn(
    program,
    paths.map((path) => join(folder.guest, path)),
    {
      stdio: ['ignore', 'pipe', 'inherit'],
    },
  );
  try {
    return await listen(watcher, change, end);
  } finally {
    watcher.kill();
  }
}

async function listen(
  watcher: ChildProcess,
  change: () => void | Promise<void>,
  end: string,
): Promise<string[]> {
  const events: string[] = [];
  for await (const line of createInterface({ input: watcher.stdout! })) {
    if (line === 'ready') {
      await change();
      mkdirSync(onHost(end));
    } else if (line.endsWith(` create dir ${end.slice(end.lastIndexOf('/') + 1)}`)) break;
    else events.push(line.trimEnd());
  }
  rmdirSync(onHost(end));
  // The next listener must not hear of it.
  await inGuest(`while [ -e '${end}' ]; do sleep 0.01; done`);
  return events;
}

test('a file that the host makes is heard as made, with its content', async () => {
  mkdirSync(onHost('made'));
  const events = await heard(['made'], () => {
    writeFileSync(onHost('made/empty'), '');
    // In one step: the host may look between two.
    writeFileSync(join(folder.directory, 'full'), 'content');
    renameSync(join(folder.directory, 'full'), onHost('made/full'));
    mkdirSync(onHost('made/folder'));
    symlinkSync('full', onHost('made/link'));
  });
  assert.deepEqual(events, [
    '1 create empty',
    '1 close-write empty',
    '1 create full',
    '1 modify full',
    '1 close-write full',
    '1 create dir folder',
    '1 create link',
  ]);
  const { stdout } = await inGuest('cat made/link; ls made');
  assert.equal(stdout, 'contentempty\nfolder\nfull\nlink\n');
});

test('a change of content is heard once, and read', async () => {
  mkdirSync(onHost('content'));
  writeFileSync(onHost('content/file'), 'first');
  assert.equal((await inGuest('cat content/file')).stdout, 'first');
  const events = await heard(['content', 'content/file'], () =>
    appendFileSync(onHost('content/file'), ' and second'),
  );
  assert.deepEqual(events, ['1 modify file', '2 modify', '1 close-write file', '2 close-write']);
  assert.equal((await inGuest('cat content/file')).stdout, 'first and second');
});

test('a name that nobody looked at is heard too', async () => {
  mkdirSync(onHost('unseen'));
  writeFileSync(onHost('unseen/file'), 'first');
  writeFileSync(onHost('unseen/gone'), '');
  const events = await heard(['unseen'], async () => {
    appendFileSync(onHost('unseen/file'), ' and more');
    unlinkSync(onHost('unseen/gone'));
  });
  assert.deepEqual(events, ['1 modify file', '1 close-write file', '1 delete gone']);
  assert.equal((await inGuest('cat unseen/file')).stdout, 'first and more');
});

test('a removal is heard by the folder and by the file', async () => {
  mkdirSync(onHost('removed/below'), { recursive: true });
  writeFileSync(onHost('removed/file'), '');
  const events = await heard(['removed', 'removed/file', 'removed/below'], () => {
    unlinkSync(onHost('removed/file'));
    rmdirSync(onHost('removed/below'));
  });
  assert.deepEqual(events.toSorted(), [
    '1 delete dir below',
    '1 delete file',
    '2 attrib',
    '2 delete-self',
    '2 ignored',
    '3 delete-self',
    '3 ignored',
  ]);
  await assert.rejects(inGuest('cat removed/file'), /No such file/);
});

test('a rename is heard as one, also between folders and over a file', async () => {
  mkdirSync(onHost('moved/to'), { recursive: true });
  writeFileSync(onHost('moved/a'), 'a');
  writeFileSync(onHost('moved/b'), 'b');
  await inGuest('cat moved/a moved/b');
  const events = await heard(['moved', 'moved/to', 'moved/a'], () => {
    renameSync(onHost('moved/a'), onHost('moved/to/c'));
  });
  assert.deepEqual(events, ['1 from a', '2 to c', '3 move-self']);
  const over = await heard(['moved'], () => renameSync(onHost('moved/to/c'), onHost('moved/b')));
  assert.deepEqual(over, ['1 to b']);
  assert.equal((await inGuest('cat moved/b; ls moved/to')).stdout, 'a');
});

test('a folder that moves takes along what the machine knows below it', async () => {
  mkdirSync(onHost('tree/one/deep'), { recursive: true });
  writeFileSync(onHost('tree/one/deep/file'), 'before');
  await inGuest('cat tree/one/deep/file');
  const events = await heard(['tree', 'tree/one/deep'], async () => {
    renameSync(onHost('tree/one'), onHost('tree/two'));
    await inGuest('while [ ! -e tree/two/deep/file ]; do sleep 0.01; done');
    // In one step: the host may look between two.
    appendFileSync(onHost('tree/two/deep/file'), ' and after');
  });
  assert.deepEqual(events, [
    '1 from dir one',
    '1 to dir two',
    '2 modify file',
    '2 close-write file',
  ]);
  assert.equal((await inGuest('cat tree/two/deep/file')).stdout, 'before and after');
});

test('who is in a folder that the host moves goes on in it, without an error', async () => {
  mkdirSync(onHost('moving/a'), { recursive: true });
  writeFileSync(onHost('moving/a/file'), 'content');
  const script = `
import os
os.chdir('moving/a')
print('ready', flush=True)
while not os.path.exists('../end'):
    with open('file', 'r+'): pass
    os.chmod('file', 0o600)
print('end', flush=True)
`;
  const program = spawn('python3', ['-c', script], {
    cwd: folder.guest,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  for await (const line of createInterface({ input: program.stdout })) {
    if (lines.push(line) > 1) continue;
    renameSync(onHost('moving/a'), onHost('moving/b'));
    await inGuest('until [ -e moving/b ]; do sleep 0.01; done');
    writeFileSync(onHost('moving/end'), '');
  }
  assert.deepEqual(lines, ['ready', 'end']);
});

test('a folder that the host makes, or moves, can be listened to before anybody looks into it', async () => {
  mkdirSync(onHost('fresh/old'), { recursive: true });
  const names = await heard(['fresh'], async () => {
    mkdirSync(onHost('fresh/made'));
    renameSync(onHost('fresh/old'), onHost('fresh/moved'));
  });
  assert.deepEqual(names.toSorted(), ['1 create dir made', '1 from dir old', '1 to dir moved']);
  for (const path of ['fresh/made', 'fresh/moved'])
    assert.deepEqual(await heard([path], () => writeFileSync(onHost(`${path}/file`), '')), [
      '1 create file',
      '1 close-write file',
    ]);
});

test('new rights are heard as such', async () => {
  mkdirSync(onHost('rights'));
  writeFileSync(onHost('rights/file'), '');
  await inGuest('stat rights/file');
  assert.deepEqual(await heard(['rights'], () => chmodSync(onHost('rights/file'), 0o600)), [
    '1 attrib file',
  ]);
  assert.equal((await inGuest('stat -c %a rights/file')).stdout, '600\n');
});

test("the machine's own changes are heard once, as on any file system", async () => {
  mkdirSync(onHost('own'));
  const commands =
    'echo x > own/f; echo y >> own/f; mv own/f own/g; chmod 600 own/g; mkdir own/d; ln own/g own/h; rm own/g own/h; rmdir own/d';
  const events = await heard(['own'], async () => void (await inGuest(commands)));
  assert.deepEqual(events, [
    '1 create f',
    '1 modify f',
    '1 close-write f',
    '1 modify f',
    '1 close-write f',
    '1 from f',
    '1 to g',
    '1 attrib g',
    '1 create dir d',
    '1 create h',
    '1 delete g',
    '1 delete h',
    '1 delete dir d',
  ]);
});

test('memory that is mapped shows what the host writes', async () => {
  writeFileSync(onHost('mapped'), 'a'.repeat(4096));
  const script = `
import mmap, sys, time
with open('mapped', 'rb') as file:
    memory = mmap.mmap(file.fileno(), 4096, prot=mmap.PROT_READ)
    print(memory[:5].decode(), flush=True)
    while memory[:5] != b'bbbbb': time.sleep(0.01)
    print(memory[:5].decode(), flush=True)
`;
  const reader = spawn('python3', ['-c', script], {
    cwd: folder.guest,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines: string[] = [];
  for await (const line of createInterface({ input: reader.stdout })) {
    if (lines.push(line) === 1) writeFileSync(onHost('mapped'), 'b'.repeat(4096), { flag: 'r+' });
  }
  assert.deepEqual(lines, ['aaaaa', 'bbbbb']);
});

test('what the host makes in a folder that the machine knows all of is found', async () => {
  mkdirSync(onHost('listed'));
  writeFileSync(onHost('listed/first'), '');
  await inGuest('mkdir known && ls listed && ! stat known/later listed/later known/other');
  for (const path of ['known/later', 'listed/later']) writeFileSync(onHost(path), 'here');
  const { stdout } = await inGuest(
    'until cat known/later listed/later 2>/dev/null; do sleep 0.01; done; echo more >> known/other; cat known/other',
  );
  assert.match(stdout, /herehere/);
  assert.match(stdout, /more\n$/);
  assert.equal(readFileSync(onHost('known/other'), 'utf8'), 'more\n');
});

test('what a file is after a write is what the host says it is', async () => {
  const { stdout } = await inGuest(`
    mkdir counted; cd counted; echo one > a; stat -c '%s %h' a; ln a b; stat -c '%s %h' a b
    rm b; stat -c %h a; echo two >> a; stat -c %s a; exec 3>> a; echo three >&3; stat -c %s a
    chmod 640 a; stat -c '%a %s' a; mv a c; stat -c '%a %s' c`);
  assert.deepEqual(stdout.trim().split('\n'), [
    '4 1',
    '4 2',
    '4 2',
    '1',
    '8',
    '14',
    '640 14',
    '640 14',
  ]);
  appendFileSync(onHost('counted/c'), 'host');
  await inGuest('until [ $(stat -c %s counted/c) = 18 ]; do sleep 0.01; done');
  await inGuest('echo >> counted/c; [ $(stat -c %s counted/c) = 19 ]');
});

test('a name that was not there is found as soon as the host has it', async () => {
  await assert.rejects(inGuest('cat later'), /No such file/);
  writeFileSync(onHost('later'), 'here');
  const { stdout } = await inGuest('while ! cat later 2>/dev/null; do sleep 0.01; done');
  assert.equal(stdout, 'here');
  // And it can be changed from both sides in turn.
  await inGuest('echo guest > later');
  assert.equal(readFileSync(onHost('later'), 'utf8'), 'guest\n');
  rmSync(onHost('later'));
  await inGuest('while [ -e later ]; do sleep 0.01; done');
});
