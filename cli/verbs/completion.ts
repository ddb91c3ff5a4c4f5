/** `corten completion` */
import { Argument, type Command } from 'commander';
import type { Verb } from '../verb.ts';

export const completionVerb: Verb = (program, session) => {
  program
    .command('completion')
    .description('print the completion for a shell; see its first lines for how to load it')
    .addArgument(new Argument('<shell>').choices(['bash', 'zsh', 'fish']))
    .action((shell: 'bash' | 'zsh' | 'fish') => {
      const nodes = nodesOf(program);
      session.print(shell === 'fish' ? fish(nodes) : bash(nodes, shell === 'zsh'));
    });
};

/** What may follow a path of command names, such as `machine`. */
interface Node {
  path: string;
  words: { word: string; description: string }[];
}

function nodesOf(command: Command, path = ''): Node[] {
  const words = [
    ...command.commands.map((child) => ({ word: child.name(), description: child.description() })),
    ...command.options
      .filter(({ long }) => long)
      .map(({ long, description }) => ({ word: long ?? '', description })),
  ];
  const below = command.commands.flatMap((child) =>
    nodesOf(child, path === '' ? child.name() : `${path} ${child.name()}`),
  );
  return [{ path, words }, ...below];
}

/** zsh runs the same function through its bashcompinit. */
function bash(nodes: readonly Node[], isZsh: boolean): string {
  const cases = nodes.map(
    ({ path, words }) => `    '${path}') words='${words.map(({ word }) => word).join(' ')}' ;;`,
  );
  const names = nodes.filter(({ path }) => path !== '').map(({ path }) => `'${path}'`);
  const load = isZsh ? 'source <(corten completion zsh)' : 'source <(corten completion bash)';
  return `# Put this line into your shell's start file: ${load}
${isZsh ? 'autoload -U +X bashcompinit && bashcompinit\n' : ''}_corten() {
  local path='' word words='' candidate
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    candidate="\${path:+$path }$word"
    case "$candidate" in
      ${names.join(' | ')}) path=$candidate ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _corten corten
`;
}

function fish(nodes: readonly Node[]): string {
  const lines = nodes.flatMap(({ path, words }) => {
    const condition =
      path === ''
        ? '__fish_use_subcommand'
        : path
            .split(' ')
            .map((name) => `__fish_seen_subcommand_from ${name}`)
            .join('; and ');
    return words.map(({ word, description }) => {
      const text = description.replaceAll("'", "\\'");
      const what = word.startsWith('--') ? `-l ${word.slice(2)}` : `-f -a ${word}`;
      return `complete -c corten -n '${condition}' ${what} -d '${text}'`;
    });
  });
  return `# Write this to ~/.config/fish/completions/corten.fish\n${lines.join('\n')}\n`;
}
