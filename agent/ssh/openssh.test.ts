/** Plain OpenSSH as the client: what a person types has to work with no help from our own code. */
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { openShellOverExec } from './exec-shells.ts';
import { prepareKeys } from './keys.ts';
import { createSshServer, type SshServer } from './server.ts';
import { HostExec } from './testdata/host-exec.ts';

const missing = ['ssh', 'socat', 'curl'].filter((program) => !isInstalled(program));
const skip = missing.length > 0 ? `needs ${missing.join(', ')}` : false;
const directory = mkdtempSync(join(tmpdir(), 'corten-ssh-openssh-'));
const sshPath = join(directory, 'ssh.sock');
const apiPath = join(directory, 'docker.sock');
const api = createServer((_incoming, response) => response.end('OK'));
let server: SshServer;
let clientOptions: string[];

before(async () => {
  const keys = prepareKeys(join(directory, 'keys'));
  server = createSshServer({
    hostKeyPath: keys.hostKeyPath,
    authorizedKeysPath: keys.authorizedKeysPath,
    apiSocketPath: apiPath,
    backend: { openShell: openShellOverExec(new HostExec()), isContainerAddress: () => false },
  });
  await server.listen({ path: sshPath });
  await new Promise<void>((resolve) => api.listen(apiPath, resolve));
  const knownHosts = join(directory, 'known_hosts');
  writeFileSync(knownHosts, `corten ${readFileSync(`${keys.hostKeyPath}.pub`, 'utf8')}`);
  clientOptions = [
    ['-F', 'none', '-i', keys.clientKeyPath],
    ['-o', `ProxyCommand=socat - UNIX-CONNECT:${sshPath}`],
    ['-o', `UserKnownHostsFile=${knownHosts}`, '-o', 'StrictHostKeyChecking=yes'],
    ['-o', 'IdentitiesOnly=yes', '-o', 'BatchMode=yes', '-o', 'LogLevel=ERROR'],
  ].flat();
});

after(async () => {
  await server.close();
  api.close();
  rmSync(directory, { recursive: true, force: true });
});

test('ssh runs a command, with stdin, both outputs and the exit status', { skip }, async () => {
  const result = await ssh(['web@corten', 'cat; echo oops >&2; exit 5'], 'typed');
  assert.deepEqual(result, { stdout: 'typed', stderr: 'oops\n', code: 5 });
});

test('ssh -tt gives a terminal', { skip }, async () => {
  const { stdout } = await ssh(['-tt', 'web@corten', 'test -t 0 && echo terminal; stty size'], '');
  assert.match(stdout, /^terminal\r\n\d+ \d+\r\n$/);
});

test('ssh -L forwards a local socket to the engine', { skip }, async () => {
  const local = join(directory, 'forwarded.sock');
  const tunnel = execFile('ssh', [
    ...clientOptions,
    '-N',
    '-L',
    `${local}:${apiPath}`,
    'api@corten',
  ]);
  const answer = await new Promise((resolve, reject) =>
    execFile(
      'curl',
      [
        '-s',
        '--retry',
        '50',
        '--retry-all-errors',
        '--retry-delay',
        '0',
        '--unix-socket',
        local,
        'http://x/_ping',
      ],
      (error, stdout) => (error ? reject(error) : resolve(stdout)),
    ),
  );
  tunnel.kill();
  assert.equal(answer, 'OK');
});

test('a changed host key is refused by the client', { skip }, async () => {
  const other = prepareKeys(join(directory, 'other'));
  const knownHosts = join(directory, 'known_hosts_other');
  writeFileSync(knownHosts, `corten ${readFileSync(`${other.hostKeyPath}.pub`, 'utf8')}`);
  const { code, stderr } = await ssh(
    ['-o', `UserKnownHostsFile=${knownHosts}`, 'web@corten', 'true'],
    '',
    clientOptions.filter((option) => !option.startsWith('UserKnownHostsFile')).filter(isNotLoneO),
  );
  assert.equal(code, 255);
  assert.match(stderr, /Host key verification failed/);
});

function ssh(words: string[], input: string, options = clientOptions) {
  return new Promise<{ stdout: string; stderr: string; code: number }>((resolve) => {
    const child = execFile('ssh', [...options, ...words], (error, stdout, stderr) =>
      resolve({ stdout, stderr, code: error === null ? 0 : Number(error.code) }),
    );
    child.stdin!.end(input);
  });
}

/** After an option's value has been taken out, its `-o` must go too. */
function isNotLoneO(option: string, index: number, all: string[]): boolean {
  return option !== '-o' || all[index + 1] !== '-o';
}

function isInstalled(program: string): boolean {
  try {
    execFileSync('which', [program], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
