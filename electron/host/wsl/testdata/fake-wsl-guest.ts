/**
 * In place of the distribution's `wsl-guest` where there is no root to make namespaces with: the same
 * words, on the files of the distribution's folder, with the agent that stands in for the real one.
 * Arguments: ROOT /usr/lib/corten/wsl-guest WORD…
 */
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';

const [root = '', program = '', word = '', digest = ''] = process.argv.slice(2);
const systems = join(root, 'var/lib/corten-systems');
const run = join(root, 'run');

if (program !== '/usr/lib/corten/wsl-guest') {
  process.stderr.write(`fake-wsl-guest: no such program: ${program}\n`);
  process.exit(127);
}

if (word === 'run') runAgent();
else if (word === 'line') relay();
else if (word === 'give') process.exitCode = unpack(root);
else if (word === 'receive') receive();
else if (word === 'revert') writeFileSync(join(systems, 'current'), named('previous'));
else process.exitCode = 64;

function runAgent(): void {
  const current = named('current');
  const system = current === '' ? root : join(systems, current);
  // A system can be made so that it does not start.
  const broken = join(system, 'etc/broken');
  if (existsSync(broken)) {
    process.stderr.write(readFileSync(broken));
    process.exit(3);
  }
  const child = spawn(
    process.execPath,
    [
      join(import.meta.dirname, '../../native-linux/testdata/fake-agent.ts'),
      ...['--root', join(root, 'var/lib/corten'), '--run', run],
    ],
    { stdio: ['ignore', 'inherit', 'inherit'] },
  );
  process.stdin.once('end', () => child.kill('SIGTERM'));
  process.stdin.resume();
  child.once('exit', (code) => process.exit(code ?? 1));
}

function relay(): void {
  const line = connect(join(run, 'ssh.sock'));
  line.once('error', () => process.exit(1));
  process.stdin.pipe(line);
  line.pipe(process.stdout);
  line.once('close', () => process.exit(0));
}

function receive(): void {
  rmSync(join(systems, 'new'), { recursive: true, force: true });
  mkdirSync(join(systems, 'new'), { recursive: true });
  if (unpack(join(systems, 'new')) !== 0) process.exit(1);
  renameSync(join(systems, 'new'), join(systems, digest));
  writeFileSync(join(systems, 'previous'), named('current'));
  writeFileSync(join(systems, 'current'), digest);
}

function named(name: string): string {
  const file = join(systems, name);
  return existsSync(file) ? readFileSync(file, 'utf8') : '';
}

function unpack(directory: string): number {
  const { status } = spawnSync('tar', ['-x', '-C', directory, '-f', '-'], { stdio: 'inherit' });
  return status ?? 1;
}
