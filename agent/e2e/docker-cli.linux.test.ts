/** The real `docker` CLI against a real agent: what people type, and what they expect to see. */
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  type AgentProcess,
  type DockerCli,
  discardAgent,
  dockerCli,
  eventually,
  makeAgentDirectory,
  startAgent,
} from './agent-process.ts';

let agent: AgentProcess;
let docker: DockerCli;
before(async () => {
  agent = await startAgent(makeAgentDirectory());
  docker = dockerCli(agent.socket);
});
after(() => discardAgent(agent));

const image = 'corten/starter';

const output = (...words: string[]) => docker.output(...words);

describe('about the engine', () => {
  test('version and info', async () => {
    assert.match(await output('version'), /API version:\s+1\.4\d/);
    const info = JSON.parse(await output('info', '--format', '{{json .}}'));
    assert.equal(info.OSType, 'linux');
    assert.ok(info.NCPU >= 1);
  });

  test('the starter image is there, offline', async () => {
    assert.match(
      await output('images', '--format', '{{.Repository}}:{{.Tag}}'),
      /^corten\/starter:latest$/m,
    );
  });
});

describe('run', () => {
  test('prints output and passes the exit code on', async () => {
    assert.equal(await output('run', '--rm', image, 'echo', 'hello'), 'hello');
    assert.equal((await docker('run', '--rm', image, 'sh', '-c', 'exit 7')).code, 7);
    // A PID 1 is not killed from inside (pid_namespaces(7)), so the one that is has a parent there.
    const killed = await docker('run', '--rm', '--init', image, 'sh', '-c', 'kill -9 $$');
    assert.equal(killed.code, 137);
  });

  test('stdout and stderr stay apart', async () => {
    const { stdout, stderr } = await docker(
      'run',
      '--rm',
      image,
      'sh',
      '-c',
      'echo out; echo err >&2',
    );
    assert.deepEqual([stdout, stderr], ['out\n', 'err\n']);
  });

  test('standard input reaches the process, and its end does', async () => {
    const { code, stdout } = await docker.withInput(
      'one\ntwo\n',
      'run',
      '-i',
      '--rm',
      image,
      'cat',
    );
    assert.deepEqual([code, stdout], [0, 'one\ntwo\n']);
  });

  test('a megabyte goes through standard input and back unharmed', async () => {
    const input = 'x'.repeat(1024 * 1024);
    const { stdout } = await docker.withInput(
      input,
      'run',
      '-i',
      '--rm',
      image,
      'sh',
      '-c',
      'cat | wc -c',
    );
    assert.equal(stdout.trim(), String(input.length));
  });

  test('env, workdir, user, hostname and entrypoint', async () => {
    assert.equal(await output('run', '--rm', '-e', 'A=b c', image, 'sh', '-c', 'echo $A'), 'b c');
    assert.equal(await output('run', '--rm', '-w', '/usr', image, 'pwd'), '/usr');
    assert.equal(
      await output('run', '--rm', '-u', '1000:1000', image, 'sh', '-c', 'id -u; id -g'),
      '1000\n1000',
    );
    assert.equal(await output('run', '--rm', '-h', 'box', image, 'hostname'), 'box');
    assert.equal(await output('run', '--rm', '--entrypoint', 'echo', image, 'hi'), 'hi');
    assert.equal(
      await output('run', '--rm', '--init', image, 'sh', '-c', 'cat /proc/1/comm | wc -l'),
      '1',
    );
  });

  test('mounts: bind, volume, tmpfs, read-only root', async () => {
    const host = join(agent.directory, 'host');
    mkdirSync(host);
    writeFileSync(join(host, 'file'), 'from the host');
    assert.equal(
      await output('run', '--rm', '-v', `${host}:/mnt:ro`, image, 'cat', '/mnt/file'),
      'from the host',
    );
    assert.notEqual(
      (await docker('run', '--rm', '-v', `${host}:/mnt:ro`, image, 'touch', '/mnt/x')).code,
      0,
    );
    await output('run', '--rm', '-v', `${host}:/mnt`, image, 'sh', '-c', 'echo inside > /mnt/new');
    assert.equal(readFileSync(join(host, 'new'), 'utf8'), 'inside\n');
    await output('run', '--rm', '-v', 'kept:/data', image, 'sh', '-c', 'echo 1 > /data/a');
    assert.equal(await output('run', '--rm', '-v', 'kept:/data', image, 'cat', '/data/a'), '1');
    await output('volume', 'rm', 'kept');
    assert.match(
      await output(
        'run',
        '--rm',
        '--tmpfs',
        '/t:size=1m',
        image,
        'sh',
        '-c',
        'mount | grep " /t "',
      ),
      /tmpfs.*size=1024k/,
    );
    assert.notEqual((await docker('run', '--rm', '--read-only', image, 'touch', '/x')).code, 0);
  });

  test('limits are what the kernel has', async () => {
    const { stdout } = await docker(
      'run',
      '-d',
      '--memory',
      '64m',
      '--cpus',
      '0.5',
      '--pids-limit',
      '20',
      image,
      'sleep',
      '1000',
    );
    const id = stdout.trim();
    const [usage] = (await output('stats', '--no-stream', '--format', '{{.MemUsage}}', id)).split(
      '\n',
    );
    assert.match(usage ?? '', /64MiB/);
    const { code } = await docker(
      'exec',
      id,
      'sh',
      '-c',
      'i=0; while [ $i -lt 40 ]; do sleep 100 >/dev/null 2>&1 & i=$((i+1)); done',
    );
    assert.notEqual(code, 0, 'the pids limit must stop a shell that forks 40 times');
    await output('update', '--memory', '96m', '--memory-swap', '96m', id);
    assert.match(await output('stats', '--no-stream', '--format', '{{.MemUsage}}', id), /96MiB/);
    await output('rm', '-f', id);
  });

  test('a container that takes too much memory is killed, and says so', async () => {
    const { code } = await docker(
      'run',
      '--name',
      'hog',
      '--memory',
      '32m',
      '--memory-swap',
      '32m',
      image,
      'sh',
      '-c',
      'x=a; while :; do x=$x$x; done',
    );
    assert.equal(code, 137);
    assert.equal(await output('inspect', '-f', '{{.State.OOMKilled}}', 'hog'), 'true');
    await output('rm', 'hog');
  });

  test('a missing command is 127, a forbidden one 126', async () => {
    const missing = await docker('run', '--rm', image, 'no-such-command');
    assert.equal(missing.code, 127);
    assert.match(missing.stderr, /executable file not found/);
    const forbidden = await docker('run', '--rm', image, '/etc/passwd');
    assert.equal(forbidden.code, 126);
    assert.match(forbidden.stderr, /permission denied/);
  });
});

describe('the life of a container', () => {
  test('create, start, stop, start again, kill, wait, rm', async () => {
    const id = await output(
      'create',
      '--name',
      'life',
      image,
      'sh',
      '-c',
      'trap "exit 3" TERM; echo up; while :; do sleep 0.1; done',
    );
    assert.match(id, /^[0-9a-f]{64}$/);
    assert.equal(await output('inspect', '-f', '{{.State.Status}}', 'life'), 'created');
    await output('start', 'life');
    await eventually(async () => assert.match(await output('logs', 'life'), /up/));
    await output('stop', 'life');
    assert.equal(
      await output('inspect', '-f', '{{.State.Status}} {{.State.ExitCode}}', 'life'),
      'exited 3',
    );
    await output('start', 'life');
    const waiting = docker('wait', 'life');
    await output('kill', 'life');
    assert.equal((await waiting).stdout.trim(), '137');
    await output('rm', 'life');
    assert.equal((await docker('inspect', 'life')).code, 1);
  });

  test('pause stops time, unpause lets it go on', async () => {
    await output(
      'run',
      '-d',
      '--name',
      'clock',
      image,
      'sh',
      '-c',
      'i=0; while :; do i=$((i+1)); echo $i; sleep 0.05; done',
    );
    await output('pause', 'clock');
    const newest = () => output('logs', '--tail', '1', 'clock');
    let first = await newest();
    // What it wrote before may still be on its way to the log.
    await eventually(async () => {
      const before = first;
      await sleep(300);
      first = await newest();
      assert.equal(first, before);
    });
    assert.match(await output('ps', '--format', '{{.Status}}', '--filter', 'name=clock'), /Paused/);
    await output('unpause', 'clock');
    await eventually(async () => assert.notEqual(await newest(), first));
    await output('rm', '-f', 'clock');
  });

  test('rename, ps, top, restart and prune', async () => {
    const id = await output('run', '-d', '--name', 'old', image, 'sleep', '1000');
    await output('rename', 'old', 'new');
    assert.equal(await output('ps', '--filter', 'name=new', '--format', '{{.Names}}'), 'new');
    assert.match(await output('top', 'new'), /sleep 1000/);
    const before = await output('inspect', '-f', '{{.State.Pid}}', id);
    await output('restart', '-t', '0', 'new');
    assert.notEqual(await output('inspect', '-f', '{{.State.Pid}}', id), before);
    await output('stop', '-t', '0', 'new');
    assert.match(await output('container', 'prune', '-f'), new RegExp(id));
    assert.equal(await output('ps', '-aq'), '');
  });

  test('logs: tail, timestamps, since, follow', async () => {
    await output(
      'run',
      '-d',
      '--name',
      'talk',
      image,
      'sh',
      '-c',
      'for i in 1 2 3; do echo line $i; done; until [ -e /go ]; do sleep 0.1; done; echo last',
    );
    await eventually(async () => assert.match(await output('logs', 'talk'), /line 3/));
    assert.equal(await output('logs', '--tail', '1', 'talk'), 'line 3');
    assert.match(
      await output('logs', '-t', '--tail', '1', 'talk'),
      /^\d{4}-\d\d-\d\dT[\d:.]{10,}Z line 3$/,
    );
    const following = output('logs', '-f', 'talk');
    await output('exec', 'talk', 'touch', '/go');
    assert.match(await following, /line 1\nline 2\nline 3\nlast$/);
    assert.equal(await output('logs', '--since', '2099-01-01T00:00:00Z', 'talk'), '');
    await output('rm', 'talk');
  });

  test('exec: output, exit code, user, input, terminal', async () => {
    await output('run', '-d', '--name', 'host', image, 'sleep', '1000');
    assert.equal(await output('exec', 'host', 'echo', 'in'), 'in');
    assert.equal((await docker('exec', 'host', 'sh', '-c', 'exit 9')).code, 9);
    assert.equal((await docker('exec', 'host', 'no-such-command')).code, 127);
    assert.equal(
      await output(
        'exec',
        '-u',
        '1000',
        '-e',
        'X=y',
        '-w',
        '/tmp',
        'host',
        'sh',
        '-c',
        'echo $(id -u) $X $PWD',
      ),
      '1000 y /tmp',
    );
    assert.equal((await docker.withInput('abc', 'exec', '-i', 'host', 'cat')).stdout, 'abc');
    await output('rm', '-f', 'host');
    assert.equal((await docker('exec', 'host', 'true')).code, 1);
  });

  test('attach follows a running container to its end', async () => {
    await output(
      'run',
      '-d',
      '-i',
      '--name',
      'att',
      image,
      'sh',
      '-c',
      'read line; echo got $line; exit 4',
    );
    const { code, stdout } = await docker.withInput('word\n', 'attach', 'att');
    assert.deepEqual([code, stdout], [4, 'got word\n']);
    await output('rm', 'att');
  });

  test('cp in and out, diff, export', async () => {
    await output('create', '--name', 'files', image, 'true');
    const source = join(agent.directory, 'upload');
    writeFileSync(source, 'carried');
    await output('cp', source, 'files:/root/there');
    const target = join(agent.directory, 'download');
    await output('cp', 'files:/root/there', target);
    assert.equal(readFileSync(target, 'utf8'), 'carried');
    assert.match(await output('diff', 'files'), /A \/root\/there/);
    const archive = join(agent.directory, 'exported.tar');
    await output('export', '-o', archive, 'files');
    // The CLI sends `name:tag` as the repository alone.
    await output('import', '-c', 'CMD ["cat", "/root/there"]', archive, 'carried:2');
    assert.equal(await output('run', '--rm', 'carried:2'), 'carried');
    await output('rmi', 'carried:2');
    await output('rm', 'files');
  });

  test('commit: what was changed, how it is to run, and a container that stands still meanwhile', async () => {
    const script = 'echo made >/root/made; rm -r /etc/passwd; ln -s made /root/link; sleep 600';
    await output('run', '-d', '--name', 'work', '-e', 'A=1', '-p', '80', image, 'sh', '-c', script);
    await eventually(async () => {
      assert.match(await output('diff', 'work'), /A \/root\/link/);
    });
    const since = String(Math.floor(Date.now() / 1000) - 1);
    const id = await output(
      ...['commit', '-a', 'Ann', '-m', 'why', '-c', 'CMD ["cat", "/root/link"]', '-c', 'ENV B=$A'],
      ...['-c', 'LABEL kind="a test"', 'work', 'kept:1'],
    );
    assert.equal(await output('inspect', '--format', '{{.State.Status}}', 'work'), 'running');
    const seen = await output(
      ...['events', '--since', since, '--until', String(Math.ceil(Date.now() / 1000))],
      ...['--filter', 'container=work', '--format', '{{.Action}}'],
    );
    assert.deepEqual(seen.split('\n').slice(-3), ['pause', 'commit', 'unpause']);
    const made = JSON.parse(await output('image', 'inspect', 'kept:1'))[0];
    assert.deepEqual([made.Id, made.Author, made.Comment], [id, 'Ann', 'why']);
    const { Cmd, Env, Labels, ExposedPorts } = made.Config;
    assert.deepEqual(Cmd, ['cat', '/root/link']);
    assert.deepEqual(Env.filter((entry: string) => /^[AB]=/.test(entry)).sort(), ['A=1', 'B=1']);
    assert.equal(Labels.kind, 'a test');
    assert.deepEqual(ExposedPorts, { '80/tcp': {} });
    assert.match(await output('history', 'kept:1'), /sh -c echo made/);
    assert.equal(await output('run', '--rm', 'kept:1'), 'made');
    const gone = await docker('run', '--rm', 'kept:1', 'ls', '/etc/passwd', '/etc/group');
    assert.deepEqual([gone.code, gone.stdout], [1, '/etc/group\n']);
    // It goes to others and comes back.
    const archive = join(agent.directory, 'kept.tar');
    await output('save', '-o', archive, 'kept:1');
    await output('rmi', 'kept:1');
    await output('load', '-i', archive);
    assert.equal(await output('run', '--rm', 'kept:1'), 'made');
    const unnamed = await output('commit', '--pause=false', 'work');
    assert.match(unnamed, /^sha256:[0-9a-f]{64}$/);
    const refused = await docker('commit', '-c', 'RUN true', 'work');
    assert.match(refused.stderr, /RUN is not a valid change command/);
    await output('rm', '-f', 'work');
    await output('commit', await output('create', image, 'true'), 'stopped');
    assert.equal(await output('run', '--rm', 'stopped', 'echo', 'runs'), 'runs');
    await output('rmi', '-f', 'kept:1', 'stopped', unnamed);
  });

  test('commit of a container whose ids are others outside: files have those inside', async () => {
    const script = 'touch /root/mine; chown 7:8 /root/mine; touch /root/root; sleep 600';
    const options = ['--name', 'mapped', '--security-opt', 'userns=auto'];
    await output('run', '-d', ...options, image, 'sh', '-c', script);
    await eventually(async () => {
      assert.match(await output('diff', 'mapped'), /A \/root\/root/);
    });
    await output('commit', 'mapped', 'mapped');
    const owners = ['stat', '-c', '%u:%g', '/root/mine', '/root/root', '/root', '/'];
    assert.equal(await output('run', '--rm', 'mapped', ...owners), '7:8\n0:0\n0:0\n0:0');
    await output('rm', '-f', 'mapped');
    await output('rmi', 'mapped');
  });

  test('events tell a life in order', async () => {
    const since = Math.floor(Date.now() / 1000) - 1;
    await output('run', '--rm', '--name', 'eventful', '--network', 'none', image, 'true');
    const until = String(Math.ceil(Date.now() / 1000));
    const seen = (
      await output(
        'events',
        '--since',
        String(since),
        '--until',
        until,
        '--filter',
        'container=eventful',
        '--format',
        '{{.Action}}',
      )
    ).split('\n');
    assert.deepEqual(seen, ['create', 'attach', 'start', 'die', 'destroy']);
  });

  test('events end at a time that was still to come, and tell what happened before it', async () => {
    // Far enough for what happens before it; on a busy machine once more, and farther. From now, however late it listens.
    for (let seconds = 8; ; seconds *= 4) {
      const since = Math.floor(Date.now() / 1000);
      const until = since + seconds;
      const listening = output(
        ...['events', '--since', String(since), '--until', String(until)],
        ...['--format', '{{.Type}} {{.Action}}'],
        ...['--filter', 'type=network', '--filter', 'type=volume', '--filter', 'event=create'],
      );
      await output('run', '--rm', '-v', 'brief:/data', image, 'true');
      const isInTime = Date.now() < until * 1000;
      await output('volume', 'rm', 'brief');
      const told = await listening;
      if (!isInTime && seconds < 100) continue;
      assert.equal(told, 'volume create');
      break;
    }
  });

  test('logs --details puts its place before each line', async () => {
    await output('run', '--name', 'told', image, 'echo', 'a line');
    const { stdout } = await docker('logs', '--details', 'told');
    assert.equal(stdout, ' a line\n');
    await output('rm', 'told');
  });

  test('restart policy: on-failure counts, a manual stop cancels', async () => {
    await output('run', '-d', '--name', 'again', '--restart', 'on-failure:2', image, 'false');
    await eventually(async () =>
      assert.equal(
        await output('inspect', '-f', '{{.RestartCount}} {{.State.Status}}', 'again'),
        '2 exited',
      ),
    );
    await output('rm', 'again');
    await output('run', '-d', '--name', 'stays', '--restart', 'always', image, 'sleep', '1000');
    await output('stop', '-t', '0', 'stays');
    await sleep(500);
    assert.equal(await output('inspect', '-f', '{{.State.Status}}', 'stays'), 'exited');
    await output('rm', 'stays');
  });
});
