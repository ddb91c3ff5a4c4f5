/** Attacks on the machine through the engine: its sockets, what it opens, what it may be asked for. */
import assert from 'node:assert/strict';
import { readFileSync, statSync } from 'node:fs';
import { after, before, test } from 'node:test';
import {
  type AgentProcess,
  type DockerCli,
  discardAgent,
  dockerCli,
  makeAgentDirectory,
  startAgent,
} from './agent-process.ts';

const image = 'corten/starter';
let agent: AgentProcess;
let docker: DockerCli;
before(async () => {
  agent = await startAgent(makeAgentDirectory());
  docker = dockerCli(agent.socket);
});
after(() => discardAgent(agent));

test('nobody but root and the socket’s group reaches the engine', () => {
  const modeOf = (path: string) => statSync(path).mode & 0o777;
  assert.equal(modeOf(agent.socket), 0o660);
  assert.equal(statSync(agent.socket).gid, 0);
  assert.equal(modeOf(`${agent.run}/ssh.sock`), 0o600);
  assert.equal(modeOf(`${agent.root}/ssh`), 0o700);
  assert.equal(modeOf(agent.run) & 0o022, 0);
});

test('the engine has no abstract sockets, which no file mode guards (CVE-2020-15257)', async () => {
  await docker('run', '-d', '--network', 'host', image, 'sleep', '1000');
  const names = readFileSync('/proc/net/unix', 'utf8').matchAll(/ (@.*)$/gm);
  assert.deepEqual([...names], []);
});

test('sysctls of the whole machine are refused', async () => {
  for (const words of [
    ['--sysctl', 'kernel.core_pattern=|/evil'],
    ['--sysctl', 'vm.panic_on_oom=1'],
    ['--sysctl', 'net/../kernel/core_pattern=x'],
    ['--network', 'host', '--sysctl', 'net.ipv4.ip_forward=0'],
    ['--ipc', 'host', '--sysctl', 'kernel.msgmax=1'],
  ]) {
    const { code, stderr } = await docker('run', '--rm', ...words, image, 'true');
    assert.equal(code, 125, words.join(' '));
    assert.match(stderr, /sysctl/, words.join(' '));
  }
});

test('an exec looks at a hostile /etc/passwd without opening it, and the container goes on', async () => {
  // A program that opens the FIFO waits; device 254:254 answers ENXIO, other numbers do something.
  for (const make of ['mkfifo /etc/passwd', 'mknod /etc/passwd c 254 254']) {
    const id = (await docker('run', '-d', image, 'sleep', '1000')).stdout.trim();
    const made = await docker('exec', id, 'sh', '-c', `rm /etc/passwd; ${make}`);
    assert.equal(made.code, 0, made.stderr);
    const { code, stdout, stderr } = await docker('exec', '-u', 'somebody', id, 'true');
    assert.notEqual(code, 0, make);
    // The CLI shows what went wrong on the stream that the exec was to have.
    assert.match(stdout + stderr, /not a regular file/, make);
    assert.equal((await docker('inspect', '-f', '{{.State.Running}}', id)).stdout.trim(), 'true');
  }
});

test('volumes and binds go where the image’s links lead inside the container', async () => {
  const script = 'mkdir /in && ln -s /in /link && ln -s ../../../../etc /up';
  await docker('run', '--name', 'linked', image, 'sh', '-c', script);
  const archive = `${agent.directory}/linked.tar`;
  await docker('export', '-o', archive, 'linked');
  const imported = await docker('import', archive, 'linked');
  assert.equal(imported.code, 0, imported.stderr);
  const { stdout, stderr } = await docker(
    ...['run', '--rm', '-v', 'data:/link', '-v', `${agent.directory}/new:/up/new`],
    ...['linked', 'sh', '-c', 'touch /in/x /etc/new/y && mount'],
  );
  assert.match(stdout, / on \/in type .* on \/etc\/new type /s, stderr);
  assert.throws(() => statSync('/etc/new'));
});

test('--privileged lifts what Docker’s lifts, and nothing else', async () => {
  const run = async (line: string) =>
    (await docker('run', '--rm', '--privileged', image, 'sh', '-c', line)).stdout.trim();
  const status = await run('grep -E "^(CapEff|Seccomp):" /proc/self/status');
  const all = /^CapEff:\s+(\w+)$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  assert.match(status, new RegExp(`CapEff:\\s+${all}`));
  assert.match(status, /Seccomp:\s+0/);
  assert.equal(await run('mount -t tmpfs x /tmp && echo mounted'), 'mounted');
  assert.equal(await run('cat /dev/kmsg >/dev/null & ls /dev/kmsg'), '/dev/kmsg');
  // Namespaces stay its own.
  assert.equal(await run('echo $$; hostname mine && hostname'), '1\nmine');
  assert.equal(await run('ls /sys/class/net | grep -v lo | wc -l'), '1');
});
