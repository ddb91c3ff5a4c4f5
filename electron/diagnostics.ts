/** `scripts/diagnostics`: the archive of this computer's own engine without the app; starts nothing. */
import { readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { collectDiagnostics } from './host/diagnostics/collect.ts';
import { createEngineClient } from './host/engine-client.ts';
import { defaultRootDirectory, runDirectoryFor } from './paths.ts';

const { values, positionals } = parseArgs({
  options: { root: { type: 'string', default: defaultRootDirectory }, run: { type: 'string' } },
  allowPositionals: true,
});
const runDirectory = resolve(values.run ?? runDirectoryFor(resolve(values.root)));
const output = resolve(positionals[0] ?? 'corten-diagnostics.tar.gz');
const { version } = JSON.parse(
  readFileSync(join(import.meta.dirname, '..', 'package.json'), 'utf8'),
) as { version: string };
const engine = createEngineClient(async () => connect(join(runDirectory, 'docker.sock')));
const isUp = await engine.request({ method: 'GET', path: '/_ping' }).then(
  () => true,
  () => false,
);
const { files, body } = await collectDiagnostics({
  entry: { id: 'local', name: 'This computer', kind: 'native' },
  state: { status: isUp ? 'running' : 'stopped', kind: 'native', stages: [] },
  facts: { shell: 'browser', platform: process.platform as 'linux', version },
  engine: isUp ? engine : undefined,
  logs: async () => ({ 'agent.log': readFileSync(join(runDirectory, 'agent.log'), 'utf8') }),
});
engine.close();
writeFileSync(output, body, { mode: 0o600 });
for (const { name, sizeBytes, note = '' } of files)
  process.stdout.write(`${String(sizeBytes).padStart(9)}  ${name} ${note}\n`);
process.stdout.write(`${output}\n`);
