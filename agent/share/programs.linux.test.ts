/** What people do in a shared folder: git, a package manager, a database; large files, many files. */
import assert from 'node:assert/strict';
import { type ExecFileOptions, execFile } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { type MountedFolder, mountFolder } from './testdata/mounted-folder.ts';
import { servePackages } from './testdata/package-registry.ts';

const run = promisify(execFile);
let folder: MountedFolder;

before(async () => {
  folder = await mountFolder();
});

after(async () => {
  await folder.close();
  assert.deepEqual(folder.failures, []);
});

const onHost = (path: string) => join(folder.host, path);

async function inGuest(command: string, options: ExecFileOptions = {}): Promise<string> {
  const { stdout } = await run('sh', ['-ec', command], {
    cwd: folder.guest,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
    ...options,
  });
  return String(stdout);
}

test('git makes, clones, packs and checks a repository', async () => {
  const output = await inGuest(`
    export HOME=$PWD GIT_AUTHOR_NAME=a GIT_AUTHOR_EMAIL=a@b GIT_COMMITTER_NAME=a GIT_COMMITTER_EMAIL=a@b
    git init -q -b main repository && cd repository
    for i in 1 2 3 4 5; do mkdir d$i; for j in 1 2 3 4 5 6 7 8; do echo $i $j > d$i/f$j; done; done
    git add . && git commit -qm first && git mv d1 e1 && rm d2/f1 && echo more >> d3/f1
    git commit -qam second && git gc -q && git fsck --strict 2>&1 && git status --porcelain
    cd .. && git clone -q repository clone && cd clone && git checkout -q HEAD~1 && git status --porcelain
    git log --oneline --all | wc -l && git -C ../repository diff --stat HEAD~1 | tail -1`);
  assert.equal(output, '2\n 10 files changed, 1 insertion(+), 1 deletion(-)\n');
});

test('npm installs, installs anew and takes away, with programs and scripts of packages', async () => {
  const files = Array.from({ length: 300 }, (_, index) => [`lib/d${index % 20}/f${index}.js`, '']);
  const registry = await servePackages([
    {
      manifest: { name: 'leaf', version: '1.2.3', main: 'index.js' },
      files: { 'index.js': "module.exports = 'leaf';\n", ...Object.fromEntries(files) },
    },
    {
      manifest: {
        name: 'tool',
        version: '2.0.0',
        bin: { 'the-tool': 'run.js' },
        dependencies: { leaf: '^1.0.0' },
        scripts: { postinstall: 'pwd > built && cp package.json copied.json' },
      },
      files: { 'run.js': "#!/usr/bin/env node\nconsole.log('tool of', require('leaf'));\n" },
    },
  ]);
  try {
    const options = {
      env: {
        ...process.env,
        npm_config_registry: registry.url,
        npm_config_cache: join(folder.directory, 'npm-cache'),
        npm_config_audit: 'false',
        npm_config_fund: 'false',
        npm_config_update_notifier: 'false',
        // npm asks before it runs a script of a package that nobody has allowed.
        npm_config_ignore_scripts: 'false',
      },
    };
    const walk = 'find node_modules -type f | sort';
    const [installed, again, removed] = (
      await inGuest(
        `mkdir project && cd project && echo '{"name":"project"}' > package.json
         npm install --loglevel=error tool >&2 && node_modules/.bin/the-tool && readlink node_modules/.bin/the-tool
         cat node_modules/tool/built; ${walk}; echo ==
         npm ci --loglevel=error >&2 && node_modules/.bin/the-tool && ${walk}; echo ==
         npm uninstall --loglevel=error tool >&2; [ ! -e node_modules/leaf ] && [ ! -L node_modules/.bin/the-tool ] && cat package.json`,
        options,
      )
    ).split('==\n');
    const lines = installed?.trimEnd().split('\n') ?? [];
    assert.deepEqual(lines.slice(0, 3), [
      'tool of leaf',
      '../tool/run.js',
      join(folder.guest, 'project/node_modules/tool'),
    ]);
    // leaf's 300, its main file and manifest; tool's two and what its script made; npm's own list.
    assert.equal(lines.length - 3, 302 + 4 + 1);
    assert.equal(again, ['tool of leaf', ...lines.slice(3), ''].join('\n'));
    assert.deepEqual(JSON.parse(removed ?? ''), { name: 'project' });
    assert.ok(!existsSync(onHost('project/node_modules/leaf')));
  } finally {
    registry.close();
  }
});

test('git of another user takes the same files for their own', async () => {
  await inGuest('git init -q shared && chmod -R a+rwX .');
  const { stdout } = await run(
    'setpriv',
    [
      '--reuid=1000',
      '--regid=1000',
      '--clear-groups',
      'git',
      '-C',
      join(folder.guest, 'shared'),
      'status',
      '--porcelain=v2',
      '--branch',
    ],
    { env: { PATH: process.env.PATH, HOME: '/' } },
  );
  assert.match(stdout, /branch.oid \(initial\)/);
});

test('four processes write one database with a write-ahead log', async () => {
  const file = join(folder.guest, 'database');
  await inGuest(
    `exec "$NODE" -e "
    const { DatabaseSync } = require('node:sqlite');
    const d = new DatabaseSync('database');
    d.exec('PRAGMA journal_mode=WAL; CREATE TABLE entries (writer, value); CREATE TABLE total (value); INSERT INTO total VALUES (0)');
    d.close()"`,
    { env: { ...process.env, NODE: process.execPath } },
  );
  const writers = ['a', 'b', 'c', 'd'].map((writer) =>
    run(process.execPath, [join(import.meta.dirname, 'testdata/database.ts'), file, writer, '50']),
  );
  await Promise.all(writers);
  const database = new DatabaseSync(onHost('database'), { readOnly: true });
  assert.equal(database.prepare('SELECT value FROM total').get()?.value, 200);
  assert.equal(database.prepare('SELECT count(*) AS n FROM entries').get()?.n, 200);
  assert.equal(database.prepare('PRAGMA integrity_check').get()?.integrity_check, 'ok');
  database.close();
});

test('a large file arrives whole in both directions', async () => {
  const content = randomBytes(24 * 1024 * 1024 + 17);
  const digest = createHash('sha256').update(content).digest('hex');
  writeFileSync(onHost('large'), content);
  const output = await inGuest('sha256sum < large && cp large copy && sha256sum < copy');
  assert.equal(output, `${digest}  -\n${digest}  -\n`);
  assert.equal(
    createHash('sha256')
      .update(readFileSync(onHost('copy')))
      .digest('hex'),
    digest,
  );
});

test('a folder of ten thousand files is listed, walked and removed', async () => {
  mkdirSync(onHost('many'));
  for (let index = 0; index < 10_000; index++) writeFileSync(onHost(`many/file-${index}`), '');
  assert.equal(await inGuest('ls many | sort -u | wc -l'), '10000\n');
  assert.equal(await inGuest('find many -type f -newermt 2000-01-01 | wc -l'), '10000\n');
  await inGuest('rm -r many');
  assert.ok(!readdirSync(folder.host).includes('many'));
});

test('a file whose name is no text is the same on both sides', async () => {
  const name = Buffer.from([0xff, 0x20, 0x0a, 0xc3]);
  writeFileSync(Buffer.concat([Buffer.from(`${folder.host}/`), name]), 'odd');
  assert.equal(await inGuest(`cat "$(printf '\\377 \\n\\303')"`), 'odd');
  await inGuest(`printf guest > "$(printf 'g\\377')"`);
  const made = Buffer.concat([Buffer.from(`${folder.host}/g`), Buffer.from([0xff])]);
  assert.equal(readFileSync(made, 'utf8'), 'guest');
});

test('a link leads where the machine says, and never to the rest of the host', async () => {
  writeFileSync(join(folder.directory, 'secret'), 'secret');
  await inGuest(
    `ln -s ${folder.directory}/secret absolute; ln -s ../secret upwards; ln -s / rootlink`,
  );
  // The machine here is the host itself, so its own files are what these links name.
  assert.equal(
    await inGuest('readlink absolute upwards rootlink'),
    `${folder.directory}/secret\n../secret\n/\n`,
  );
});
