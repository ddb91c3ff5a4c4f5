import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { ownerInLsof, ownerInTasklist, pidInNetstat, portOwner } from './port-owner.ts';

test('Linux: who listens, by TCP and by UDP', { skip: process.platform !== 'linux' }, async () => {
  const tcp = createServer();
  await new Promise<void>((resolve) => tcp.listen(0, '127.0.0.1', resolve));
  const udp = createSocket('udp4');
  await new Promise<void>((resolve) => udp.bind(0, resolve));
  const own = new RegExp(`^\\S+ \\(pid ${process.pid}\\)$`);
  assert.match((await portOwner('tcp', (tcp.address() as { port: number }).port)) ?? '', own);
  const { port } = udp.address();
  assert.match((await portOwner('udp', port)) ?? '', own);
  tcp.close();
  await new Promise<void>((resolve) => udp.close(resolve));
  assert.equal(await portOwner('udp', port), undefined);
});

test('macOS: lsof -Fpc', () => {
  assert.equal(ownerInLsof('p812\ncnginx\nf6\np813\ncnginx\nf6\n'), 'nginx (pid 812)');
  assert.equal(ownerInLsof(''), undefined);
});

test('Windows: netstat -ano, in any language, then tasklist', () => {
  const text = [
    '',
    'Aktive Verbindungen',
    '',
    '  Proto  Lokale Adresse         Remoteadresse          Status           PID',
    '  TCP    127.0.0.1:50000        127.0.0.1:8080         HERGESTELLT      99',
    '  TCP    0.0.0.0:18080          0.0.0.0:0              ABHÖREN          7',
    '  TCP    0.0.0.0:8080           0.0.0.0:0              ABHÖREN          4120',
    '  TCP    [::]:8081              [::]:0                 ABHÖREN          4121',
    '  UDP    0.0.0.0:5353           *:*                                    2044',
  ].join('\r\n');
  assert.equal(pidInNetstat(text, 'tcp', 8080), '4120');
  assert.equal(pidInNetstat(text, 'tcp', 8081), '4121');
  assert.equal(pidInNetstat(text, 'udp', 5353), '2044');
  assert.equal(pidInNetstat(text, 'tcp', 50000), undefined);
  assert.equal(
    ownerInTasklist('"nginx.exe","4120","Console","1","9.120 K"\r\n'),
    'nginx.exe (pid 4120)',
  );
  assert.equal(ownerInTasklist('INFORMATION: Es werden keine Aufgaben ausgeführt.\r\n'), undefined);
});
