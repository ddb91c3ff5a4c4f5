/** The real `docker` CLI on a real terminal: sizes, signals from the keyboard, leaving and coming back. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import {
  type AgentProcess,
  type DockerCli,
  discardAgent,
  dockerCli,
  eventually,
  makeAgentDirectory,
  startAgent,
} from './agent-process.ts';
import {
  type CliTerminal,
  ctrlC,
  ctrlD,
  ctrlP,
  ctrlQ,
  ctrlX,
  openCliTerminal,
} from './cli-terminal.ts';

let agent: AgentProcess;
let docker: DockerCli;
before(async () => {
  agent = await startAgent(makeAgentDirectory());
  docker = dockerCli(agent.socket);
});
after(() => discardAgent(agent));

const image = 'corten/starter';
const size = { rows: 33, columns: 101 };

function open(...words: string[]): Promise<CliTerminal> {
  return openCliTerminal(agent.socket, words, size);
}

const output = (...words: string[]) => docker.output(...words);

/** Asks the shell inside for its size until the change has arrived there. */
async function showsSize(terminal: CliTerminal, expected: string): Promise<void> {
  terminal.type(
    `until [ "$(stty size)" = "${expected}" ]; do :; done; echo size "is ${expected}"\n`,
  );
  await terminal.shows(new RegExp(`size is ${expected}`));
}

describe('run -it', () => {
  test('has the size of the window, from the start and after it changes', async () => {
    const terminal = await open('run', '-it', '--rm', image, 'sh');
    await showsSize(terminal, '33 101');
    terminal.resize({ rows: 44, columns: 132 });
    await showsSize(terminal, '44 132');
    terminal.type('exit 6\n');
    assert.equal(await terminal.ended, 6);
  });

  test('Ctrl-C interrupts what runs inside, not the CLI', async () => {
    const terminal = await open(
      ...['run', '-it', '--rm', image, 'sh', '-c'],
      'trap "echo caught; exit 5" INT; echo up; while :; do sleep 0.1; done',
    );
    await terminal.shows(/up\r\n/);
    terminal.type(ctrlC);
    await terminal.shows(/caught\r\n/);
    assert.equal(await terminal.ended, 5);
  });

  test('Ctrl-D is the end of input, and the shell leaves', async () => {
    const terminal = await open('run', '-it', '--rm', image, 'sh');
    await showsSize(terminal, '33 101');
    terminal.type(ctrlD);
    assert.equal(await terminal.ended, 0);
  });

  test('wide characters and control bytes pass unharmed', async () => {
    const terminal = await open('run', '-it', '--rm', image, 'cat');
    terminal.type('容器 ✓ é\n');
    await terminal.shows(/容器 ✓ é\r\n(.|\n)*容器 ✓ é\r\n/);
    terminal.type(ctrlD);
    assert.equal(await terminal.ended, 0);
  });
});

describe('leaving a terminal', () => {
  test('Ctrl-P Ctrl-Q leaves the container running; attach comes back to it', async () => {
    const first = await open('run', '-it', '--name', 'kept', image, 'sh');
    await showsSize(first, '33 101');
    first.type('word=remembered\n');
    first.type(ctrlP + ctrlQ);
    assert.equal(await first.ended, 0);
    assert.equal(await output('inspect', '-f', '{{.State.Status}}', 'kept'), 'running');
    const second = await openCliTerminal(agent.socket, ['attach', 'kept'], {
      rows: 20,
      columns: 60,
    });
    await showsSize(second, '20 60');
    second.type('echo it is $word\nexit 3\n');
    await second.shows(/it is remembered/);
    assert.equal(await second.ended, 3);
    await output('rm', 'kept');
  });

  test('the keys can be chosen, and what only begins like them is typed', async () => {
    const terminal = await open(
      ...['run', '-it', '--name', 'own', '--detach-keys', 'ctrl-x,x', image],
      ...['sh', '-c', 'stty raw -echo; echo up; head -c 4 | od -An -tx1; exec sleep 1000'],
    );
    await terminal.shows(/up/);
    terminal.type(`${ctrlP}${ctrlQ}${ctrlX}y`);
    await terminal.shows(/10 11 18 79/);
    terminal.type(`${ctrlX}x`);
    assert.equal(await terminal.ended, 0);
    assert.equal(await output('inspect', '-f', '{{.State.Status}}', 'own'), 'running');
    await output('rm', '-f', 'own');
  });

  test('a closed window leaves the container running', async () => {
    const terminal = await open('run', '-it', '--name', 'closed', image, 'sh');
    await showsSize(terminal, '33 101');
    terminal.close();
    await terminal.ended;
    assert.equal(await output('inspect', '-f', '{{.State.Status}}', 'closed'), 'running');
    await output('rm', '-f', 'closed');
  });
});

describe('exec -it', () => {
  test('has its own terminal, with a size, colours of its own, Ctrl-C and an exit code', async () => {
    await output('run', '-d', '--name', 'host', image, 'sleep', '1000');
    const terminal = await open('exec', '-it', '-e', 'TERM=xterm-256color', 'host', 'sh');
    await showsSize(terminal, '33 101');
    terminal.resize({ rows: 50, columns: 90 });
    await showsSize(terminal, '50 90');
    terminal.type('echo $TERM; sleep 100\n');
    await terminal.shows(/xterm-256color\r\n/);
    // Earlier, the shell has not given the terminal over yet, and takes the key for itself.
    await eventually(async () => assert.match(await output('top', 'host'), /sleep 100$/m));
    terminal.type(ctrlC);
    // What is typed before the shell asks again is flushed with the interrupt.
    await terminal.shows(/\^C.*# /s);
    terminal.type('echo after "the interrupt"; exit 8\n');
    await terminal.shows(/after the interrupt/);
    assert.equal(await terminal.ended, 8);
  });

  test('leaving it leaves its process running', async () => {
    const terminal = await open('exec', '-it', 'host', 'sh', '-c', 'echo up; exec sleep 4321');
    await terminal.shows(/up\r\n/);
    terminal.type(ctrlP + ctrlQ);
    await terminal.shows(/read escape sequence/);
    await terminal.ended;
    await eventually(async () => assert.match(await output('top', 'host'), /sleep 4321/));
    await output('rm', '-f', 'host');
  });

  test('a command that is not there is 127 on a terminal too', async () => {
    await output('run', '-d', '--name', 'host', image, 'sleep', '1000');
    const terminal = await open('exec', '-it', 'host', 'no-such-command');
    await terminal.shows(/executable file not found/);
    assert.equal(await terminal.ended, 127);
    await output('rm', '-f', 'host');
  });
});
