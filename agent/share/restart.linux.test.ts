/** The agent ends and another one goes on: folders that are in use are the same ones, and nobody's calls hang. */
import assert from 'node:assert/strict';
import { type ChildProcessWithoutNullStreams, execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, test } from 'node:test';
import { promisify } from 'node:util';
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
    assert.equal(await say('cat newer/moved; ls new'), 'one\ntwo\n[2]\n');
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

test('an older kernel asks nothing again: what was asked is an error, once, and nothing hangs', async () => {
  // Where the first agent had not read it yet, the next one waits for the host as long.
  folder = await folderOfAgents({ asksAgain: false, patienceMs: 3_000 });
  writeFileSync(onHost('file'), 'there');
  await folder.stopHost();
  const maker = inGuest('mkdir $1/made');
  await folder.untilAsked();
  await folder.endAgent('SIGKILL');
  await folder.startAgent();
  await assert.rejects(maker, /Input\/output error/);
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
  folder.killKeepers();
  await assert.rejects(inGuest('cat $1/file'), /not connected/);
  await folder.startAgent();
  await folder.startHost();
  assert.equal(await inGuest('cat $1/file'), 'there');
});
