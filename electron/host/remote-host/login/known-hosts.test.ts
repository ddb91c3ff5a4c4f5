import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import {
  fingerprintOf,
  judgeHostKey,
  knownTypes,
  rememberHostKey,
  toHostKey,
} from './known-hosts.ts';

const directory = mkdtempSync(join(tmpdir(), 'corten-known-'));
after(() => rmSync(directory, { recursive: true, force: true }));
const file = join(directory, 'known_hosts');

const makeKey = (name: string) => {
  execFileSync('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-f', join(directory, name)]);
  const line = readFileSync(join(directory, `${name}.pub`), 'utf8').trim();
  const key = toHostKey(Buffer.from(line.split(' ')[1]!, 'base64'));
  return { line: line.split(' ').slice(0, 2).join(' '), key };
};
const [ours, other] = [makeKey('a'), makeKey('b')];
const judge = (text: string, host = 'box', port = 22) => {
  writeFileSync(file, text);
  return judgeHostKey([join(directory, 'none'), file], host, port, ours.key).kind;
};

test('names, ports, patterns and hashes are compared as ssh does it', () => {
  assert.equal(ours.key.type, 'ssh-ed25519');
  assert.equal(judge(`box,10.0.0.7 ${ours.line}\n`), 'known');
  assert.equal(judge(`# box\n\nBOX ${ours.line} comment`), 'known');
  assert.equal(judge(`[box]:2222 ${ours.line}\n`, 'box', 2222), 'known');
  assert.equal(judge(`box ${ours.line}\n`, 'box', 2222), 'unknown');
  assert.equal(judge(`*.example,!b.example ${ours.line}\n`, 'a.example'), 'known');
  assert.equal(judge(`*.example,!b.example ${ours.line}\n`, 'b.example'), 'unknown');
  writeFileSync(file, `box ${ours.line}\n[box]:24 ${ours.line}\n`);
  execFileSync('ssh-keygen', ['-q', '-H', '-f', file], { stdio: 'ignore' });
  const hashed = readFileSync(file, 'utf8');
  assert.match(hashed, /^\|1\|/);
  assert.equal(judge(hashed), 'known');
  assert.equal(judge(hashed, 'box', 24), 'known');
  assert.equal(judge(hashed, 'box', 25), 'unknown');
});

test('another key, a revoked one, and one of another kind', () => {
  assert.equal(judge(`box ${other.line}\n`), 'changed');
  assert.equal(judge(`box ${other.line}\nbox ${ours.line}\n`), 'known');
  assert.equal(judge(`box ${ours.line}\n@revoked * ${ours.line}\n`), 'revoked');
  assert.equal(judge(`box ecdsa-sha2-nistp256 AAAA\n`), 'unknown');
  assert.deepEqual(knownTypes([file], 'box', 22), ['ecdsa-sha2-nistp256']);
  assert.equal(judge(`@cert-authority * ${ours.line}\n`), 'unknown');
});

test('what is remembered is known to ssh too, after a file without a last newline', () => {
  writeFileSync(file, `other ${other.line}`);
  rememberHostKey(file, 'box', 2222, ours.key);
  assert.equal(judgeHostKey([file], 'box', 2222, ours.key).kind, 'known');
  const found = execFileSync('ssh-keygen', ['-F', '[box]:2222', '-f', file], { encoding: 'utf8' });
  assert.ok(found.includes(ours.line));
  const shown = execFileSync('ssh-keygen', ['-lf', join(directory, 'a.pub')], { encoding: 'utf8' });
  assert.ok(shown.includes(fingerprintOf(ours.key.blob)));
});
