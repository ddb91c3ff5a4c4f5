/**
 * dockerode, the Node client that Testcontainers and many tools use. It differs from the CLI: paths
 * have no version, and exec start comes with and without an upgrade.
 */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { PassThrough, type Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { after, before, describe, test } from 'node:test';
import Dockerode from 'dockerode';
import { extract, pack } from 'tar-stream';
import { startRegistry, type TestRegistry } from '../images/testdata/registry.ts';
import {
  type AgentProcess,
  discardAgent,
  eventually,
  makeAgentDirectory,
  startAgent,
} from './agent-process.ts';

let agent: AgentProcess;
let registry: TestRegistry;
let docker: Dockerode;
before(async () => {
  const directory = makeAgentDirectory();
  registry = await startRegistry(join(directory, 'registry'));
  agent = await startAgent(directory, ['--insecure-registry', registry.domain]);
  docker = new Dockerode({ socketPath: agent.socket });
});
after(async () => {
  await registry.stop();
  await discardAgent(agent);
});

const image = 'corten/starter';

async function runSleeper(): Promise<Dockerode.Container> {
  const container = await docker.createContainer({ Image: image, Cmd: ['sleep', '1000'] });
  await container.start();
  return container;
}

/** dockerode's own reading of frames, which must agree with our writing of them. */
async function demuxed(stream: NodeJS.ReadableStream): Promise<{ out: string; err: string }> {
  const [out, err] = [new PassThrough(), new PassThrough()];
  docker.modem.demuxStream(stream, out, err);
  stream.on('end', () => {
    out.end();
    err.end();
  });
  const [outText, errText] = await Promise.all([text(out), text(err)]);
  return { out: outText, err: errText };
}

describe('exec', () => {
  let container: Dockerode.Container;
  before(async () => {
    container = await runSleeper();
  });
  after(() => container.remove({ force: true }));

  for (const hijack of [false, true]) {
    const how = hijack ? 'with an upgrade' : 'without an upgrade';

    test(`output in frames and the exit code, ${how}`, async () => {
      const exec = await container.exec({
        Cmd: ['sh', '-c', 'echo out; echo err >&2; exit 3'],
        AttachStdout: true,
        AttachStderr: true,
      });
      const stream = await exec.start({ hijack });
      assert.deepEqual(await demuxed(stream), { out: 'out\n', err: 'err\n' });
      const { ExitCode, Running } = await exec.inspect();
      assert.deepEqual([ExitCode, Running], [3, false]);
    });

    test(`standard input while output goes on, ${how}`, async () => {
      const exec = await container.exec({
        Cmd: ['sh', '-c', 'read line; echo got $line'],
        AttachStdin: true,
        AttachStdout: true,
      });
      const stream = await exec.start({ hijack, stdin: true });
      stream.write('a line\n');
      assert.deepEqual(await demuxed(stream), { out: 'got a line\n', err: '' });
    });

    test(`a terminal is raw, ${how}`, async () => {
      const exec = await container.exec({ Cmd: ['tty'], AttachStdout: true, Tty: true });
      const stream = await exec.start({ hijack, Tty: true });
      assert.equal(await text(stream), '/dev/pts/0\r\n');
    });
  }

  // Without an upgrade dockerode ends the whole connection instead.
  test('standard input and its end, with an upgrade', async () => {
    const exec = await container.exec({
      Cmd: ['sh', '-c', 'cat; echo over'],
      AttachStdin: true,
      AttachStdout: true,
    });
    const stream = await exec.start({ hijack: true, stdin: true });
    stream.end('typed\n');
    assert.deepEqual(await demuxed(stream), { out: 'typed\nover\n', err: '' });
  });

  test('detached', async () => {
    const exec = await container.exec({ Cmd: ['sh', '-c', 'exit 4'] });
    await exec.start({ Detach: true });
    await eventually(async () => assert.equal((await exec.inspect()).ExitCode, 4));
  });

  test('running execs are named by inspect, ended ones are not', async () => {
    const exec = await container.exec({ Cmd: ['sleep', '1000'], AttachStdout: true });
    await exec.start({ Detach: true });
    assert.deepEqual((await container.inspect()).ExecIDs, [exec.id]);
    const { Pid } = await exec.inspect();
    assert.ok(Pid > 1);
    process.kill(Pid, 'SIGKILL');
    await eventually(async () => assert.equal((await container.inspect()).ExecIDs, null));
  });
});

describe('attach, logs and wait', () => {
  test('attach before the start sees everything, and wait knows the end', async () => {
    const container = await docker.createContainer({
      Image: image,
      Cmd: ['sh', '-c', 'read line; echo got $line; echo bad >&2; exit 5'],
      OpenStdin: true,
      StdinOnce: true,
      AttachStdin: true,
    });
    const stream = await container.attach({
      ...{ stream: true, stdin: true, stdout: true, stderr: true, hijack: true },
    });
    const waiting = container.wait({ condition: 'next-exit' });
    await container.start();
    stream.end('a word\n');
    assert.deepEqual(await demuxed(stream), { out: 'got a word\n', err: 'bad\n' });
    assert.equal((await waiting).StatusCode, 5);
    await container.remove();
  });

  test('attach without an upgrade', async () => {
    const container = await docker.createContainer({ Image: image, Cmd: ['echo', 'plain'] });
    const stream = await container.attach({ stream: true, stdout: true, stderr: true });
    await container.start();
    assert.deepEqual(await demuxed(stream), { out: 'plain\n', err: '' });
    await container.remove();
  });

  test('docker.run', async () => {
    const seen = new PassThrough();
    const heard = once(seen, 'data');
    const [{ StatusCode }] = await docker.run(image, ['sh', '-c', 'echo hi; exit 2'], seen, {
      HostConfig: { AutoRemove: true },
    });
    assert.equal(StatusCode, 2);
    // Two connections: the end may be heard on its own before the output is.
    assert.match(String(await heard), /hi/);
    seen.end();
  });

  test('logs at once as a buffer, and followed to the end as frames', async () => {
    const container = await docker.createContainer({
      Image: image,
      Cmd: ['sh', '-c', 'echo one; echo two >&2; sleep 0.3; echo three'],
    });
    await container.start();
    const followed = await container.logs({ follow: true, stdout: true, stderr: true });
    assert.deepEqual(await demuxed(followed), { out: 'one\nthree\n', err: 'two\n' });
    const all = await container.logs({ stdout: true, stderr: false });
    assert.equal(all.subarray(8, 12).toString(), 'one\n');
    await container.remove();
  });
});

describe('streams', () => {
  test('stats: a document a second, until the reader leaves', async () => {
    const container = await runSleeper();
    const stream = (await container.stats({ stream: true })) as Readable;
    const lines = createInterface(stream)[Symbol.asyncIterator]();
    const [first, second] = [await lines.next(), await lines.next()];
    stream.destroy();
    assert.equal(JSON.parse(first.value ?? '').id, container.id);
    assert.ok(JSON.parse(second.value ?? '').precpu_stats.system_cpu_usage > 0);
    await container.remove({ force: true });
  });

  test('events: filtered, as they happen', async () => {
    const stream = (await docker.getEvents({
      filters: { type: ['container'], event: ['create'], label: ['who=me'] },
    })) as Readable;
    const other = await docker.createContainer({ Image: image });
    const container = await docker.createContainer({ Image: image, Labels: { who: 'me' } });
    const [line] = (await once(stream, 'data')) as [Buffer];
    stream.destroy();
    assert.equal(JSON.parse(line.toString()).Actor.ID, container.id);
    await container.remove();
    await other.remove();
  });

  test('push and pull report their progress', async () => {
    const name = `${registry.domain}/team/app`;
    await docker.getImage(image).tag({ repo: name, tag: 'v1' });
    const finished = (stream: NodeJS.ReadableStream) =>
      new Promise<{ status?: string; id?: string; error?: string }[]>((resolve, reject) =>
        docker.modem.followProgress(stream, (error, lines) =>
          error ? reject(error) : resolve(lines),
        ),
      );
    const pushed = await finished(
      await docker
        .getImage(`${name}:v1`)
        .push({ authconfig: { username: '', password: '', serveraddress: '' } }),
    );
    assert.ok(pushed.some(({ status }) => status?.includes('digest: sha256:')));
    await docker.getImage(`${name}:v1`).remove();
    const pulled = await finished(await docker.pull(`${name}:v1`));
    assert.match(pulled.at(-1)?.status ?? '', /^Status: /);
    assert.equal(
      (await docker.getImage(`${name}:v1`).inspect()).RepoTags.includes(`${name}:v1`),
      true,
    );
    await assert.rejects(docker.pull(`${name}:missing`), { statusCode: 404 });
  });
});

describe('archives', () => {
  test('put and get', async () => {
    const container = await docker.createContainer({ Image: image });
    const archive = pack();
    archive.entry({ name: 'note.txt', mode: 0o640 }, 'carried');
    archive.finalize();
    await container.putArchive(await buffer(archive), { path: '/root' });
    const reading = extract();
    (await container.getArchive({ path: '/root/note.txt' })).pipe(reading);
    const [header, entry] = (await once(reading, 'entry')) as [
      { name: string; mode: number },
      Readable,
    ];
    assert.deepEqual([header.name, header.mode & 0o777], ['note.txt', 0o640]);
    assert.equal(await text(entry), 'carried');
    await assert.rejects(container.getArchive({ path: '/nowhere' }), { statusCode: 404 });
    await container.remove();
  });
});

describe('errors', () => {
  test('carry dockerd’s status and message', async () => {
    await assert.rejects(docker.getContainer('nobody').inspect(), {
      statusCode: 404,
      json: { message: 'No such container: nobody' },
    });
    const container = await runSleeper();
    await assert.rejects(container.remove(), { statusCode: 409 });
    await assert.rejects(container.start(), { statusCode: 304 });
    await container.remove({ force: true });
  });
});
