/** The completion scripts in the shells that they are for. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, test } from 'node:test';

const directory = mkdtempSync(join(tmpdir(), 'corten-completion-'));
const command = resolve(import.meta.dirname, '../../scripts/corten');
after(() => rmSync(directory, { recursive: true, force: true }));

function scriptFor(shell: string): string {
  const path = join(directory, shell);
  writeFileSync(path, run(command, ['completion', shell]));
  return path;
}

type Completer = (line: string) => string[];

function bash(): Completer {
  const script = scriptFor('bash');
  const program = `source ${script}
COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); 
_corten corten "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD - 1]}"
printf '%s\\n' "\${COMPREPLY[@]}"`;
  return (line) => wordsOf(run('bash', ['--norc', '-c', program, 'bash', ...line.split(' ')]));
}

function fish(): Completer {
  const script = scriptFor('fish');
  return (line) => {
    const text = run('fish', ['--no-config', '-c', `source ${script}; complete -C '${line}'`]);
    return wordsOf(text.replaceAll(/\t.*/g, ''));
  };
}

/** Only an interactive zsh completes, so it runs in a terminal (zpty of zshmodules(1)) and shows its list there. */
function zsh(): Completer {
  const script = scriptFor('zsh');
  const startFile = join(directory, 'start.zsh');
  writeFileSync(
    startFile,
    `autoload -U compinit && compinit -u -D
source ${script}
list-and-end() { zle list-choices; zle -R; print -n '<end>' }
zle -N list-and-end
bindkey '^I' list-and-end
LISTMAX=1000
PS1='<ready>'
`,
  );
  const program = `zmodload zsh/zpty
zpty inner zsh -f -i
zpty -w inner "source ${startFile}"
zpty -r inner screen '*<ready>*'
zpty -w -n inner "$1"$'\\t'
zpty -r inner screen '*<end>*'
print -r -- "$screen"`;
  return (line) => run('zsh', ['-f', '-c', program, 'zsh', line]).split(/\s+/);
}

function run(program: string, words: string[]): string {
  return execFileSync(program, words, {
    encoding: 'utf8',
    timeout: 60_000,
    cwd: directory,
    env: { ...process.env, TERM: 'dumb' },
  });
}

const wordsOf = (text: string) =>
  text
    .split('\n')
    .filter((word) => word !== '')
    .sort();

for (const make of [bash, zsh, fish])
  test(`${make.name} completes commands, subcommands, choices and options`, () => {
    const complete = make();
    const offers = (line: string, expected: string[]) => {
      const found = complete(line);
      for (const word of expected) assert.ok(found.includes(word), `${line}: ${found}`);
      return found;
    };
    offers('corten ma', ['machine']);
    offers('corten machine ', ['compact', 'create', 'delete', 'list', 'resize', 'ssh', 'start']);
    offers('corten -m dev ru', ['run']);
    offers('corten completion ', ['bash', 'fish', 'zsh']);
    offers('corten machine create --kind ', ['apple', 'qemu', 'remote', 'wsl2']);
    const options = offers('corten machine stop --', ['--force']);
    assert.ok(!options.includes('--time'), 'an option of `stop` alone');
  });
