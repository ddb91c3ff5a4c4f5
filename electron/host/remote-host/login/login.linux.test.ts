/** Ways of `~/.ssh/config` to a real sshd, and a real ssh-agent. */
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { until } from '../../../../agent/e2e/until.ts';
import { type Asked, StageFailure } from '../../machine/machine.ts';
import { remoteShell } from '../remote-shell.ts';
import { type RemoteHost, startRemoteHost } from '../testdata/remote-host.ts';
import { type ConnectOptions, logIn, planOf, reachHost } from './host-connection.ts';
import { Secrets } from './secrets.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-ways-'));
const agentSocket = join(directory, 'agent.sock');
let host: RemoteHost;
let agent: ChildProcess;

before(async () => {
  host = await startRemoteHost();
  agent = spawn('ssh-agent', ['-D', '-a', agentSocket], { stdio: 'ignore' });
  await until(() => existsSync(agentSocket));
  const other = join(directory, 'other');
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', other]);
  const environment = { ...process.env, SSH_AUTH_SOCK: agentSocket };
  for (const key of [other, join(host.home, '.ssh/id_ed25519')])
    execFileSync('ssh-add', ['-q', key], { env: environment });
  delete process.env.SSH_AUTH_SOCK;
});
after(async () => {
  agent?.kill();
  await host?.stop();
  rmSync(directory, { recursive: true, force: true });
});

/** A home with no key of its own, and what its file says of the host "box". */
function homeWith(config: string): string {
  const home = mkdtempSync(join(directory, 'home-'));
  mkdirSync(join(home, '.ssh'));
  writeFileSync(
    join(home, '.ssh/config'),
    `Host box\n HostName 127.0.0.1\n Port ${host.port}\n User root\n ${config}\n`,
  );
  return home;
}

/** Logs in to "box" and asks who one is there. */
async function whoAt(home: string): Promise<string> {
  const options: ConnectOptions = {
    ask: async (question: Asked) => (question.kind === 'host-key' ? 'yes' : undefined),
    secrets: new Secrets(),
    knownHostsFile: join(home, 'known'),
    home,
  };
  const plan = planOf({ host: 'box' }, home);
  const client = await logIn(plan, await reachHost(plan, options), options);
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
  const { out } = await remoteShell(client, 'is-root').run('id -un');
  client.end();
  await closed;
  return out;
}

const failure = (cause: RegExp) => (error: unknown) =>
  error instanceof StageFailure && cause.test(error.message);

test('the agent of the environment opens it, and the one that the file names', async () => {
  await assert.rejects(whoAt(homeWith('')), failure(/There was no key to try/));
  process.env.SSH_AUTH_SOCK = agentSocket;
  assert.equal(await whoAt(homeWith('')), 'root');
  await assert.rejects(whoAt(homeWith('IdentityAgent none')), failure(/no key to try/));
  delete process.env.SSH_AUTH_SOCK;
  assert.equal(await whoAt(homeWith(`IdentityAgent ${agentSocket}`)), 'root');
});

test('IdentitiesOnly: of the agent’s keys only the one whose public half is named', async () => {
  const only = (name: string) =>
    homeWith(
      `IdentityAgent ${agentSocket}\n IdentitiesOnly yes\n IdentityFile ${directory}/${name}`,
    );
  copyFileSync(join(host.home, '.ssh/id_ed25519.pub'), join(directory, 'right.pub'));
  assert.equal(await whoAt(only('right')), 'root');
  await assert.rejects(
    whoAt(only('other')),
    failure(/does not let "root" in\. Tried: the SSH agent/),
  );
});

test('through the host itself and back, and not around in a circle', async () => {
  process.env.SSH_AUTH_SOCK = agentSocket;
  assert.equal(await whoAt(homeWith(`ProxyJump root@127.0.0.1:${host.port}`)), 'root');
  const gate = `Host gate\n HostName 127.0.0.1\n Port ${host.port}\n User root\n`;
  assert.equal(await whoAt(homeWith(`ProxyJump gate\n${gate}Host *\n ProxyJump gate`)), 'root');
  await assert.rejects(
    whoAt(homeWith(`ProxyJump gate\n${gate} ProxyJump box`)),
    failure(/is circular/),
  );
  delete process.env.SSH_AUTH_SOCK;
});

test('a ProxyCommand is the line; what it says when it fails is told', async () => {
  process.env.SSH_AUTH_SOCK = agentSocket;
  assert.equal(await whoAt(homeWith('ProxyCommand socat - TCP:%h:%p')), 'root');
  const broken = 'ProxyCommand sh -c "echo no way to %n as %r >&2; exit 3"';
  await assert.rejects(
    whoAt(homeWith(broken)),
    failure(/ProxyCommand of box ended with status 3: no way to box as root/),
  );
  delete process.env.SSH_AUTH_SOCK;
});
