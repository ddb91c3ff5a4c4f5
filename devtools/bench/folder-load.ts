/** One load on a folder, timed from inside: `folder-load.ts LOAD DIRECTORY`; prints milliseconds. */
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  fsyncSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const mib = 1024 * 1024;
const smallFiles = 2000;
/** The repository to clone, which the benchmark makes outside the measured folders. */
export const cloneSource = join(tmpdir(), 'corten-bench-repository');

const loads: Record<string, (directory: string) => void> = {
  'write 128 MiB': (directory) => {
    const piece = Buffer.alloc(mib, 'x');
    const fd = openSync(join(directory, 'written'), 'w');
    for (let count = 0; count < 128; count++) writeSync(fd, piece);
    fsyncSync(fd);
    closeSync(fd);
  },
  'read 128 MiB': (directory) => {
    const piece = Buffer.alloc(mib);
    const fd = openSync(join(directory, 'large'), 'r');
    while (readSync(fd, piece) > 0);
    closeSync(fd);
  },
  'write 2000 files': (directory) => {
    mkdirSync(join(directory, 'made'));
    for (let index = 0; index < smallFiles; index++)
      writeFileSync(join(directory, 'made', `file-${index}`), 'x'.repeat(1000));
  },
  'read 2000 files': (directory) => {
    for (const name of readdirSync(join(directory, 'small')))
      readFileSync(join(directory, 'small', name));
  },
  'stat 2000 files, 5 times': (directory) => {
    for (let round = 0; round < 5; round++)
      for (const name of readdirSync(join(directory, 'small')))
        lstatSync(join(directory, 'small', name));
  },
  'git status': (directory) => {
    execFileSync('git', ['status', '--porcelain'], { cwd: join(directory, 'repository') });
  },
  'git clone, 1000 files': (directory) => {
    const target = join(directory, 'clone');
    execFileSync('git', ['clone', '-q', '--no-local', cloneSource, target]);
  },
  'npm install': (directory) => {
    const project = join(directory, 'project');
    mkdirSync(project);
    writeFileSync(join(project, 'package.json'), '{"dependencies":{"fastify":"5.12.8"}}');
    execFileSync(
      'npm',
      ['install', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund'],
      {
        cwd: project,
        stdio: 'ignore',
      },
    );
  },
};

export const folderLoads = Object.keys(loads);

const [load, directory] = process.argv.slice(2);
if (import.meta.main && load !== undefined && directory !== undefined) {
  const begin = performance.now();
  loads[load]?.(directory);
  process.stdout.write(String(performance.now() - begin));
}
