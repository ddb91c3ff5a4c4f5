/** The line to the host breaks: callers wait and go on, nothing is lost or done twice, none hangs for good. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  createReadStream,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { openFolderThread } from '../../electron/host/shared-folders/open-folder-thread.ts';
import { fileNameOf } from './kept-mounts.ts';
import { type MountedFolder, mountFolder } from './testdata/mounted-folder.ts';

const run = promisify(execFile);
let folder: MountedFolder;

afterEach(async () => {
  await folder.close();
  assert.deepEqual(folder.failures, []);
});

const onHost = (path: string) => join(folder.host, path);
const inGuest = async (command: string) =>
  (await run('sh', ['-ec', command], { cwd: folder.guest })).stdout;

/** Until a process waits in the kernel for an answer (proc_pid_stat(5): state, wchan). */
async function isWaiting({ pid }: ChildProcess): Promise<void> {
  for (;;) {
    try {
      if (readFileSync(`/proc/${pid}/wchan`, 'utf8').includes('fuse')) return;
      if (/^State:\t[DS]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'))) {
        const stack = readFileSync(`/proc/${pid}/syscall`, 'utf8');
        if (!stack.startsWith('running')) return;
      }
    } catch (error) {
      // Ended already, which the caller sees.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return;
      throw error;
    }
    await sleep(5);
  }
}

test('a writer goes on over a new connection, and not a byte is lost', async () => {
  folder = await mountFolder();
  const source = join(folder.directory, 'source');
  const content = Buffer.alloc(32 * 1024 * 1024);
  for (let at = 0; at < content.length; at += 4) content.writeUInt32LE(at, at);
  writeFileSync(source, content);
  const writer = spawn('sh', ['-c', 'cat > target'], {
    cwd: folder.guest,
    stdio: ['pipe', 'ignore', 'inherit'],
  });
  const ended = once(writer, 'exit');
  createReadStream(source).pipe(writer.stdin);
  for (let cuts = 0; cuts < 3; cuts++) {
    await folder.cut();
    await folder.connect();
  }
  assert.deepEqual(await ended, [0, null]);
  assert.ok(readFileSync(onHost('target')).equals(content));
});

test('who asks while the line is down gets the answer when it is back', async () => {
  folder = await mountFolder();
  writeFileSync(onHost('file'), 'there');
  await folder.cut();
  const reader = inGuest('mkdir made && cat file');
  await folder.connect();
  assert.equal(await reader, 'there');
});

test('who waits for a lost host can be killed', async () => {
  folder = await mountFolder();
  writeFileSync(onHost('file'), '');
  await folder.cut();
  const reader = spawn('cat', [join(folder.guest, 'file')], { stdio: 'ignore' });
  const ended = once(reader, 'exit');
  await isWaiting(reader);
  reader.kill('SIGKILL');
  assert.deepEqual(await ended, [null, 'SIGKILL']);
});

test('a host that stays away is an error in the end, and no more when it is back', async () => {
  folder = await mountFolder({ patienceMs: 200 });
  writeFileSync(onHost('file'), 'there');
  await folder.cut();
  await assert.rejects(inGuest('cat file'), /Input\/output error/);
  await folder.connect();
  assert.equal(await inGuest('cat file'), 'there');
});

test('another host goes on with what is open, and tells of changes again', async () => {
  folder = await mountFolder();
  writeFileSync(onHost('open'), 'first line\nsecond line\n');
  writeFileSync(onHost('cached'), 'old');
  const script =
    'exec 3< open 4>> written; read -r a <&3; echo "$a"; read -r x; echo more >&4; read -r b <&3; echo "$b"; cat cached';
  const reader = spawn('sh', ['-c', `cat cached; ${script}`], { cwd: folder.guest });
  let output = '';
  reader.stdout.on('data', (data: Buffer) => {
    output += data;
  });
  while (!output.includes('first')) await once(reader.stdout, 'data');
  await folder.cut();
  writeFileSync(onHost('cached'), 'new');
  await folder.restartHost();
  await folder.connect();
  const ended = once(reader, 'close');
  reader.stdin.end('go\n');
  await ended;
  assert.equal(output, 'oldfirst line\nsecond line\nnew');
  assert.equal(readFileSync(onHost('written'), 'utf8'), 'more\n');
});

test('a folder that cannot be mounted leaves nothing of it, however often that is tried', async () => {
  folder = await mountFolder();
  const devices = () =>
    readdirSync('/proc/self/fd').filter((fd) => linkAt(`/proc/self/fd/${fd}`) === '/dev/fuse');
  const before = devices();
  // Where it would be written down there is something else.
  mkdirSync(join(folder.directory, 'kept', `${fileNameOf('other')}.json.new`));
  const other = await openFolderThread({
    name: 'other',
    path: folder.host,
    mountPath: join(folder.directory, 'other'),
  });
  for (let tries = 0; tries < 3; tries++) {
    const line = connect(join(folder.directory, 'share.sock'));
    await assert.rejects(other.serve(line), /EISDIR/);
  }
  other.close();
  assert.deepEqual(devices(), before);
  assert.match(folder.failures.splice(0).join(), /EISDIR/);
});

function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    // Closed since it was listed.
    return undefined;
  }
}
