import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { proxyCommandOf } from './proxy-command.ts';
import { planFor } from './ssh-config.ts';

let home: string;
before(() => {
  home = mkdtempSync(join(tmpdir(), 'corten-ssh-'));
  mkdirSync(join(home, '.ssh', 'more'), { recursive: true });
  writeFileSync(
    join(home, '.ssh', 'config'),
    `Include more/*.conf
Host box
  HostName 10.0.0.7
  User deploy
  Port 2222
  IdentityFile ~/.ssh/box_%r
  ProxyJump me@gate:24,inner
Host odd
  ProxyCommand nc -X 5 -x "a b" %h %p
  IdentityAgent ~/agent.sock
Host fd
  ProxyCommand nc -F %h %p
  ProxyUseFdpass yes
Host direct
  ProxyJump none
  IdentitiesOnly yes
  HostKeyAlias farm
  UserKnownHostsFile ~/known_a ~/known_b
Match host box exec "touch ${home}/ran"
  User never
Host *
  User everyone
`,
  );
  writeFileSync(join(home, '.ssh', 'more', 'a.conf'), 'host INCLUDED\n hostname=incl.example\n');
});
after(() => rmSync(home, { recursive: true, force: true }));

test('what the file says of a host holds, the first word first', () => {
  const plan = planFor({ host: 'box' }, home);
  assert.deepEqual(
    [plan.hostName, plan.user, plan.port, plan.onlyNamedKeys],
    ['10.0.0.7', 'deploy', 2222, false],
  );
  assert.deepEqual(plan.keyFiles, [{ path: join(home, '.ssh/box_deploy'), isNamed: true }]);
  assert.deepEqual(plan.jumps, [{ host: 'gate', user: 'me', port: 24 }, { host: 'inner' }]);
  const direct = planFor({ host: 'direct' }, home);
  assert.deepEqual([direct.jumps, direct.onlyNamedKeys, direct.hostKeyAlias], [[], true, 'farm']);
  assert.deepEqual(direct.knownHostsFiles, [join(home, 'known_a'), join(home, 'known_b')]);
  assert.equal(planFor({ host: 'INCLUDED' }, home).hostName, 'incl.example');
});

test('what the person said goes before the file, and the file before what is usual', () => {
  const said = { host: 'box', port: 22, user: 'root', keyFile: '~/mine' };
  const plan = planFor(said, home);
  assert.deepEqual([plan.user, plan.port], ['root', 22]);
  assert.equal(plan.keyFiles[0]?.path, join(home, 'mine'));
  assert.equal(planFor({ host: 'other' }, home).user, 'everyone');
  const nowhere = planFor({ host: 'other' }, join(home, 'nobody'));
  assert.deepEqual([nowhere.user, nowhere.port], [userInfo().username, 22]);
  assert.ok(nowhere.keyFiles.every(({ isNamed }) => !isNamed));
});

test('the program that makes the line, and the agent that is asked', () => {
  const { proxyCommand, agent } = planFor({ host: 'odd' }, home);
  assert.equal(proxyCommand, 'nc -X 5 -x "a b" %h %p');
  assert.equal(agent, join(home, 'agent.sock'));
  const plan = planFor({ host: 'odd', user: 'me', port: 24 }, home);
  assert.equal(proxyCommandOf(plan, '%h %n %p %r 100%% %x'), 'odd odd 24 me 100% %x');
  for (const odd of ['a;touch b', '$(id)', '-oLog', 'a b'])
    assert.throws(() => proxyCommandOf({ ...plan, hostName: odd }, 'nc %h'), {
      name: 'StageFailure',
      message: /cannot be put into the ProxyCommand of odd/,
    });
});

test('what the app does not do is said, and no command of the file runs', () => {
  assert.throws(() => planFor({ host: 'fd' }, home), {
    name: 'UnsupportedSshConfig',
    message: /has ProxyUseFdpass for fd/,
    nextStep: /ProxyJump/,
  });
  assert.equal(planFor({ host: 'box' }, home).user, 'deploy');
});
