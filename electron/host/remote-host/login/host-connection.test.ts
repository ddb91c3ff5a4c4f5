/** Logins against an SSH server of the test's own, with a person who answers. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import ssh2, { type AuthContext, type Client } from 'ssh2';
import type { RemoteAddress } from '../../../contract/machines.ts';
import { type Asked, StageFailure } from '../../machine/machine.ts';
import { type ConnectOptions, logIn, planOf, reachHost } from './host-connection.ts';
import { Secrets } from './secrets.ts';

let directory: string;
let hostKey: string;
const servers: { close(): void }[] = [];
delete process.env.SSH_AUTH_SOCK;

before(() => {
  directory = mkdtempSync(join(tmpdir(), 'corten-login-'));
  mkdirSync(join(directory, '.ssh'));
  const make = (path: string, passphrase: string) =>
    execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', passphrase, '-f', path]);
  make(join(directory, 'host'), '');
  make(join(directory, '.ssh', 'id_ed25519'), 'open sesame');
  hostKey = readFileSync(join(directory, 'host'), 'utf8');
});
after(() => {
  for (const server of servers) server.close();
  rmSync(directory, { recursive: true, force: true });
});

/** Lets in who passes (undefined: decides by itself); forwards to anywhere on this computer. */
function serve(
  passes: (login: AuthContext) => boolean | undefined,
  methods: string[],
): Promise<number> {
  const server = new ssh2.Server({ hostKeys: [hostKey] }, (client) => {
    client.on('error', () => {});
    client.on('authentication', (login) => {
      const verdict = passes(login);
      if (verdict === true) login.accept();
      else if (verdict === false) login.reject(methods as never);
    });
    client.on('ready', () => {
      client.on('tcpip', (accept, _reject, { destPort }) => {
        const channel = accept();
        const socket = connect(destPort, '127.0.0.1');
        socket.on('error', () => channel.close());
        channel.pipe(socket).pipe(channel);
        channel.on('error', () => {});
      });
    });
  });
  servers.push(server);
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => resolve((server.address() as AddressInfo).port));
  });
}

function silent(): Promise<{ port: number; server: Server }> {
  const server = createServer();
  servers.push(server);
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () =>
      resolve({ port: (server.address() as AddressInfo).port, server }),
    );
  });
}

async function login(
  address: RemoteAddress,
  answers: (question: Asked) => string | undefined,
  options: Partial<ConnectOptions> = {},
): Promise<Client> {
  const plan = planOf(address, directory);
  const full: ConnectOptions = {
    ask: async (question) => answers(question),
    secrets: new Secrets(),
    knownHostsFile: join(directory, 'known_hosts'),
    home: directory,
    ...options,
  };
  return logIn(plan, await reachHost(plan, full), full);
}

const yes = (question: Asked) => (question.kind === 'host-key' ? 'yes' : undefined);
const failure = (cause: RegExp, nextStep: RegExp) => (error: unknown) =>
  error instanceof StageFailure && cause.test(error.message) && nextStep.test(error.nextStep);

test('a password is asked for until it is right, kept in memory, and never asked for again', async () => {
  const isRight = (one: AuthContext) => one.method === 'password' && one.password === 'right';
  const port = await serve(isRight, ['password']);
  const asked: Asked[] = [];
  const secrets = new Secrets();
  const address = { host: '127.0.0.1', port, user: 'me' };
  const client = await login(
    address,
    (question) => {
      asked.push(question);
      return yes(question) ?? ('wrong' in question && question.wrong ? 'right' : 'first');
    },
    { secrets },
  );
  client.end();
  assert.deepEqual(
    asked.map((one) => [one.kind, 'wrong' in one && one.wrong]),
    [
      ['host-key', false],
      ['password', false],
      ['password', true],
    ],
  );
  (await login(address, () => assert.fail('asked again'), { secrets, ask: undefined })).end();
  assert.doesNotMatch(readFileSync(join(directory, 'known_hosts'), 'utf8'), /right/);
});

test('a locked key is opened with its passphrase', async () => {
  const port = await serve((one) => one.method === 'publickey', ['publickey']);
  const client = await login({ host: '127.0.0.1', port, user: 'me' }, (question) => {
    if (question.kind !== 'passphrase') return yes(question);
    assert.match(question.keyFile, /id_ed25519$/);
    return question.wrong ? 'open sesame' : 'no';
  });
  client.end();
});

test('a server’s own question is put as it puts it', async () => {
  const port = await serve(
    (one) => {
      if (one.method === 'keyboard-interactive')
        one.prompt([{ prompt: 'Code: ', echo: true }], (answers) =>
          answers[0] === '123456' ? one.accept() : one.reject(),
        );
      return one.method === 'keyboard-interactive' ? undefined : false;
    },
    ['keyboard-interactive'],
  );
  const client = await login({ host: '127.0.0.1', port, user: 'me' }, (question) => {
    if (question.kind !== 'prompt') return yes(question);
    assert.deepEqual([question.prompt, question.echo], ['Code: ', true]);
    return '123456';
  });
  client.end();
});

test('through another host, logged in to as well', async () => {
  const target = await serve((one) => one.username === 'inner', []);
  const gate = await serve((one) => one.username === 'outer', []);
  writeFileSync(
    join(directory, '.ssh', 'config'),
    `Host deep\n HostName 127.0.0.1\n Port ${target}\n User inner\n ProxyJump outer@127.0.0.1:${gate}\n`,
  );
  (await login({ host: 'deep' }, yes)).end();
  await assert.rejects(
    login({ host: 'deep', port: 1 }, yes),
    failure(/ended before the login|cannot reach/, /sshd/),
  );
});

test('each way to fail has its cause and its next step', async () => {
  const { port: mute, server } = await silent();
  const at = (port: number) => ({ host: '127.0.0.1', port, user: 'me' });
  await assert.rejects(
    login({ host: 'no-such-host.invalid' }, yes),
    failure(/no-such-host\.invalid port 22 cannot be reached/, /Check/),
  );
  await assert.rejects(login(at(mute), yes, { timeoutMs: 200 }), failure(/sent nothing/, /busy/));
  server.on('connection', (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  await assert.rejects(login(at(mute), yes), failure(/ended before the login/, /it is sshd/));
  server.close();
  await assert.rejects(
    login(at(mute), yes, { timeoutMs: 2000 }),
    failure(/nothing accepts connections there/, /Start sshd/),
  );
  const port = await serve(() => false, ['password']);
  await assert.rejects(
    login(at(port), (question) => yes(question) ?? 'x'),
    failure(/does not let "me" in\. Tried: .*a password/, /ssh-copy-id -p/),
  );
  await assert.rejects(login(at(port), yes), failure(/cancelled/, /Connect again/));
  const fresh = { knownHostsFile: join(directory, 'none') };
  await assert.rejects(
    login(at(port), () => undefined, fresh),
    failure(/SHA256:\S+ was not confirmed/, /Compare the fingerprint/),
  );
  const signal = AbortSignal.abort();
  await assert.rejects(login(at(port), yes, { signal }), failure(/cancelled/, /Connect again/));
});
