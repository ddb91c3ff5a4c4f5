/** The contract of machines, on this host with an agent that has no engine. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { createMachine } from '../machine/lifecycle.ts';
import { machineSuite } from '../machine/machine.suite.ts';
import { nativeBackend } from './backend.ts';

const fakeAgent = join(import.meta.dirname, 'testdata/fake-agent.ts');

machineSuite('native', {
  stages: ['agent'],
  hangsAt: ['agent'],
  failsAt: ['agent'],
  lostAt: 'agent',
  async make() {
    const directory = mkdtempSync(join(tmpdir(), 'corten-native-'));
    const modeFile = join(directory, 'mode');
    const pidFile = join(directory, 'pid');
    const heal = () => writeFileSync(modeFile, '');
    heal();
    const script = join(directory, 'agent.sh');
    writeFileSync(
      script,
      `echo $$ > '${pidFile}'
      case $(cat '${modeFile}') in
        hang) exec sleep 600 ;;
        fail) echo 'corten: the kernel has no overlayfs' >&2; exit 3 ;;
      esac
      exec '${process.execPath}' '${fakeAgent}' "$@"\n`,
    );
    const machine = createMachine({
      backend: nativeBackend({
        agentCommand: ['sh', script],
        rootDirectory: join(directory, 'root'),
        runDirectory: join(directory, 'run'),
      }),
    });
    const isAlive = () => {
      if (!existsSync(pidFile)) return false;
      const pid = Number(readFileSync(pidFile, 'utf8'));
      // The script was ended before it had written; 0 would be our own process group.
      if (pid === 0) return false;
      try {
        process.kill(pid, 0);
        return true;
      } catch {
        return false;
      }
    };
    return {
      machine,
      kill: async () => void process.kill(Number(readFileSync(pidFile, 'utf8')), 'SIGKILL'),
      leftovers: () => (isAlive() ? ['the agent'] : []),
      hangAt: () => writeFileSync(modeFile, 'hang'),
      failAt: () => writeFileSync(modeFile, 'fail'),
      heal,
      async remove() {
        await machine.stop({ force: true });
        rmSync(directory, { recursive: true, force: true });
      },
    };
  },
});

test('an engine that runs and is not ready: the start fails after its timeout, with its last output', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'corten-native-'));
  const machine = createMachine({
    backend: nativeBackend({
      agentCommand: ['sh', '-c', 'echo unpacking the starter image >&2; exec sleep 600', 'agent'],
      rootDirectory: join(directory, 'root'),
      runDirectory: join(directory, 'run'),
      readyTimeoutMs: 300,
    }),
  });
  try {
    const { failure } = await machine.start();
    assert.equal(failure?.stage, 'agent');
    assert.match(
      failure?.cause ?? '',
      /it was not ready after 0\.3 s\. unpacking the starter image/,
    );
    assert.match(failure?.nextStep ?? '', /agent\.log/);
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
});
