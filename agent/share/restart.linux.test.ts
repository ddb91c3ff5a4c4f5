/** The agent ends and another one goes on: folders that are in use are the same ones, and nobody's calls hang. */
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  appendFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { promisify } from 'node:util';
import { until } from '../e2e/until.ts';
import { type FolderOfAgents, folderOfAgents } from './testdata/folder-of-agents.ts';

const run = promisify(execFile);
let folder: FolderOfAgents;
let shell: ChildProcessWithoutNullStreams | undefined;

afterEach(async () => {
  shell?.kill('SIGKILL');
  shell = undefined;
  await folder.close();
});

const onHost = (path: string) => join(folder.host, path);
/** `$1` is the folder: nobody is started in it, because spawn() waits until its child is where it is to be. */
const inGuest = async (command: string) =>
  (await run('sh', ['-ec', command, 'sh', folder.guest], { timeout: 60_000 })).stdout;

/** A shell in the folder, which keeps its working directory and what it opens. */
async function open(command: string): Promise<void> {
  shell = spawn('bash', [], { stdio: 'pipe' });
  shell.stderr.resume();
  await say(`cd ${folder.guest}; ${command}`);
}

/** What a command of it prints. */
async function say(command: string): Promise<string> {
  shell!.stdin.write(`${command}\necho "[$?]"\n`);
  let output = '';
  while (!/\[\d+\]\n$/.test(output))
    output += String(
      (await once(shell!.stdout, 'data', { signal: AbortSignal.timeout(60_000) }))[0],
    );
  return output;
}

for (const signal of ['SIGKILL', 'SIGTERM'] as const)
  test(`what is open is read and written after ${signal}`, async () => {
    folder = await folderOfAgents();
    mkdirSync(onHost('deep/er'), { recursive: true });
    writeFileSync(onHost('deep/er/read'), 'first\nsecond\n');
    writeFileSync(onHost('deep/er/removed'), 'removed\n');
    writeFileSync(onHost('deep/er/cached'), 'old');
    await open(
      'cd deep/er; exec 3<read 4>written 5<removed; rm removed; read -r a <&3; cat cached',
    );
    await say('echo one >&4');
    await folder.endAgent(signal);
    writeFileSync(onHost('deep/er/cached'), 'new');
    writeFileSync(onHost('deep/er/made'), 'made');
    await folder.startAgent();
    assert.equal(await say('read -r b <&3; echo "$b"; echo two >&4'), 'second\n[0]\n');
    assert.equal(
      await say('cat <&5; cat cached made; ls'),
      'removed\nnewmadecached\nmade\nread\nwritten\n[0]\n',
    );
    assert.equal(
      await say('exec 4>&-; mkdir new; mv written new/moved; cat new/moved'),
      'one\ntwo\n[0]\n',
    );
    assert.equal(readFileSync(onHost('deep/er/new/moved'), 'utf8'), 'one\ntwo\n');
    // And again, of an agent that took over itself.
    await folder.endAgent('SIGKILL');
    renameSync(onHost('deep/er/new'), onHost('deep/er/newer'));
    await folder.startAgent();
    assert.equal(await say('cat newer/moved'), 'one\ntwo\n[0]\n');
    // Until the kernel is told, it knows the folder by both names.
    assert.equal(await say('while [ -e new ]; do sleep 0.01; done'), '[0]\n');
    assert.equal(await inGuest('cat $1/deep/er/made'), 'made');
  });

test('who asks while no agent is there gets the answer of the next one, and what was asked is done once', async () => {
  folder = await folderOfAgents();
  writeFileSync(onHost('file'), 'there');
  await folder.stopHost();
  // It waits for an answer that the first agent never has.
  const maker = inGuest('mkdir $1/made && echo done');
  await folder.untilAsked();
  await folder.endAgent('SIGKILL');
  const reader = inGuest('cat $1/file');
  await folder.startAgent();
  await folder.startHost();
  assert.equal(await maker, 'done\n');
  assert.equal(await reader, 'there');
});

const isThere = (path: string) => lstatSync(onHost(path), { throwIfNoEntry: false }) !== undefined;

/** The host is a thread of this process. */
const openOnHost = () =>
  readdirSync('/proc/self/fd')
    .flatMap((fd) => {
      try {
        return [readlinkSync(`/proc/self/fd/${fd}`)];
      } catch {
        return [];
      }
    })
    .filter((path) => path.startsWith(`${folder.host}/`));

test('what the host did and an ended agent never heard of is done once, and what it opened stays open', async () => {
  folder = await folderOfAgents();
  // A folder for each: the kernel changes one after the other in the same one.
  for (const name of 'abcde') mkdirSync(onHost(name));
  writeFileSync(onHost('b/file'), 'content');
  writeFileSync(onHost('d/old'), 'old');
  await inGuest('cat $1/*/*');
  folder.loseAnswers();
  const doings = Promise.all([
    inGuest('set -C; { echo made && echo more; } > $1/a/made; cat $1/a/made'),
    inGuest('exec 3>$1/b/file; echo emptied >&3; cat $1/b/file'),
    inGuest('mkdir $1/c/made && echo made'),
    inGuest('mv $1/d/old $1/d/new && cat $1/d/new'),
    inGuest('ln -s target $1/e/made && echo linked'),
  ]);
  await until(
    () =>
      ['a/made', 'c/made', 'd/new', 'e/made'].every(isThere) &&
      readFileSync(onHost('b/file')).length === 0,
    'the host did what it was asked',
  );
  await folder.endAgent('SIGKILL');
  await folder.startAgent();
  assert.deepEqual(await doings, ['made\nmore\n', 'emptied\n', 'made\n', 'old', 'linked\n']);
  assert.equal(readFileSync(onHost('a/made'), 'utf8'), 'made\nmore\n');
  await until(() => openOnHost().length === 0, 'what was closed is closed');
});

test('what is open grows for whoever only sends it on, also when that happened while no agent was there', async () => {
  folder = await folderOfAgents();
  writeFileSync(onHost('growing'), 'first');
  shell = spawn('python3', ['-uc', sender, join(folder.guest, 'growing')], { stdio: 'pipe' });
  shell.stderr.pipe(process.stderr);
  let output = '';
  // All the time: what comes while nobody listens is lost.
  shell.stdout.on('data', (data: Buffer) => {
    output += String(data);
  });
  const sends = (text: string) => until(() => output === text, `${text} is sent, not ${output}`);
  await sends('first');
  await folder.endAgent('SIGKILL');
  appendFileSync(onHost('growing'), 'second');
  await folder.startAgent();
  await sends('firstsecond');
  // And as soon as an agent that took over has told of it once.
  appendFileSync(onHost('growing'), 'third');
  await sends('firstsecondthird');
  await folder.endAgent('SIGKILL');
  appendFileSync(onHost('growing'), 'fourth');
  await folder.startAgent();
  await sends('firstsecondthirdfourth');
});

test('who opens a file before the host is back sends all that it has become', async () => {
  folder = await folderOfAgents();
  writeFileSync(onHost('file'), 'old');
  await inGuest('cat $1/file');
  await folder.stopHost();
  await folder.endAgent('SIGKILL');
  appendFileSync(onHost('file'), ' and more');
  await folder.startAgent();
  const script = 'import os, sys; os.sendfile(1, os.open(sys.argv[1], os.O_RDONLY), None, 4096)';
  const sent = run('python3', ['-c', script, join(folder.guest, 'file')], { timeout: 60_000 });
  await folder.untilAsked();
  await folder.startHost();
  assert.equal((await sent).stdout, 'old and more');
});

for (const lost of ['line', 'agent'] as const)
  test(`what was given up for a lost ${lost} and done all the same is known in the end`, async () => {
    folder = await folderOfAgents({ patienceMs: 300 });
    for (const name of 'abc') mkdirSync(onHost(name));
    writeFileSync(onHost('c/old'), 'old');
    await inGuest('! stat $1/a/made; ls $1/b $1/c');
    folder.loseAnswers();
    const refused = Promise.all(
      ['echo made > $1/a/made', 'mkdir $1/b/made', 'rm $1/c/old'].map((command) =>
        assert.rejects(inGuest(command), /Input\/output error/),
      ),
    );
    await until(
      () => isThere('a/made') && isThere('b/made') && !isThere('c/old'),
      'the host did what it was asked',
    );
    if (lost === 'line') await folder.stopHost();
    else await folder.endAgent('SIGKILL');
    await refused;
    if (lost === 'line') await folder.startHost();
    else await folder.startAgent();
    await inGuest(
      'cd $1; until [ -f a/made ] && [ -d b/made ] && ! [ -e c/old ]; do sleep 0.01; done',
    );
    await inGuest('cd $1; echo more > a/made; rmdir b/made');
    assert.equal(readFileSync(onHost('a/made'), 'utf8'), 'more\n');
    await until(() => openOnHost().length === 0, 'what was closed is closed');
  });

/** Never asks how long the file is. */
const sender = `
import os, sys, time
file = os.open(sys.argv[1], os.O_RDONLY)
while True:
    if os.sendfile(1, file, None, 4096) == 0: time.sleep(0.01)
`;

test('an older kernel asks nothing again: what was asked is an error, once, and nothing hangs', async () => {
  // Where the first agent had not read it yet, the next one waits for the host as long.
  folder = await folderOfAgents({ resendsRequests: false, patienceMs: 3_000 });
  writeFileSync(onHost('file'), 'there');
  await folder.stopHost();
  const refused = assert.rejects(inGuest('mkdir $1/made'), /Input\/output error/);
  await folder.untilAsked();
  await folder.endAgent('SIGKILL');
  await folder.startAgent();
  await refused;
  await folder.startHost();
  assert.equal(await inGuest('mkdir $1/made; cat $1/file'), 'there');
});

test('what was answered before it reached the host is an error, once, and no silent loss', async () => {
  folder = await folderOfAgents();
  // A shell would close what it wrote to, and wait for the host.
  await open(`exec python3 -uc '
import os, sys
file = os.open("written", os.O_CREAT | os.O_WRONLY)
print("[0]")
for line in sys.stdin:
    if line.startswith("write"):
        try: print("[%d]" % (os.write(file, line.encode()) * 0))
        except OSError as error: print("[%d]" % error.errno)
'`);
  await folder.stopHost();
  assert.equal(await say('write lost'), '[0]\n');
  await folder.endAgent('SIGKILL');
  await folder.startAgent();
  await folder.startHost();
  assert.equal(await say('write next'), '[5]\n');
  assert.equal(await say('write last'), '[0]\n');
});

test('without an agent nobody waits for ever, and with the next one all is as before', async () => {
  folder = await folderOfAgents({ patienceMs: 300 });
  writeFileSync(onHost('file'), 'there');
  await open('cd .');
  await folder.endAgent('SIGKILL');
  await assert.rejects(inGuest('cat $1/file'), /Input\/output error/);
  await folder.startAgent();
  await folder.startHost();
  assert.equal(await say('cat file'), 'there[0]\n');
});

test('an agent that finds a folder dead takes it away and mounts it anew', async () => {
  folder = await folderOfAgents();
  writeFileSync(onHost('file'), 'there');
  await folder.endAgent('SIGKILL');
  await folder.killKeepers();
  await assert.rejects(inGuest('cat $1/file'), /not connected/);
  await folder.startAgent();
  await folder.startHost();
  assert.equal(await inGuest('cat $1/file'), 'there');
});
