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
  words: { word: string; description: string; values?: readonly string[] }[];
}

function nodesOf(command: Command, path = ''): Node[] {
  const words = [
    ...command.commands.map((child) => ({ word: child.name(), description: child.description() })),
    ...command.registeredArguments
      .flatMap(({ argChoices = [] }) => argChoices)
      .map((word) => ({ word, description: '' })),
    ...command.options
      .filter(({ long }) => long)
      .map(({ long, description, argChoices: values }) => ({
        word: long ?? '',
        description,
        ...(values && { values }),
      })),
  ];
  const below = command.commands.flatMap((child) =>
    nodesOf(child, path === '' ? child.name() : `${path} ${child.name()}`),
  );
  return [{ path, words }, ...below];
}

const quotedPaths = (nodes: readonly Node[]) =>
  nodes.filter(({ path }) => path !== '').map(({ path }) => `'${path}'`);

/**
 * bash(1), Programmable Completion; zsh runs the same function through its bashcompinit (zshcompsys(1)).
 * zsh ties an array `path` to PATH and keeps the command line in `words`, so no variable has these names.
 */
function bash(nodes: readonly Node[], isZsh: boolean): string {
  const cases = nodes.map(
    ({ path, words }) =>
      `    '${path}') candidates='${words.map(({ word }) => word).join(' ')}' ;;`,
  );
  const values = nodes.flatMap(({ path, words }) =>
    words.flatMap(({ word, values }) =>
      values === undefined ? [] : `    '${path} ${word}') candidates='${values.join(' ')}' ;;`,
    ),
  );
  const load = isZsh ? 'source <(corten completion zsh)' : 'source <(corten completion bash)';
  return `# Put this line into your shell's start file${isZsh ? ', after compinit' : ''}: ${load}
${isZsh ? 'autoload -U +X bashcompinit && bashcompinit\n' : ''}_corten() {
  local command='' word longer candidates=''
  for word in "\${COMP_WORDS[@]:1:$((COMP_CWORD - 1))}"; do
    longer="\${command:+$command }$word"
    case "$longer" in
      ${quotedPaths(nodes).join(' | ')}) command=$longer ;;
    esac
  done
  case "$command" in
${cases.join('\n')}
  esac
  case "$command $3" in
${values.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$candidates" -- "$2"))
}
complete -o default -F _corten corten
`;
}

/**
 * complete(1) of fish. Its own __fish_seen_subcommand_from finds a word anywhere on the line, and would
 * take `machine stop` for `stop`, so a function of our own walks the command names.
 */
function fish(nodes: readonly Node[]): string {
  const lines = nodes.flatMap(({ path, words }) =>
    words.map(({ word, description, values }) => {
      const option = `-l ${word.slice(2)}${values === undefined ? '' : ` -x -a '${values.join(' ')}'`}`;
      const what = word.startsWith('--') ? option : `-f -a ${word}`;
      return `complete -c corten -n "__corten_at '${path}'" ${what} -d '${description.replaceAll("'", "\\'")}'`;
    }),
  );
  return `# Write this to ~/.config/fish/completions/corten.fish
function __corten_at
  set -l command ''
  for word in (commandline -opc)[2..]
    set -l longer (string trim "$command $word")
    contains -- $longer ${quotedPaths(nodes).join(' ')}; and set command $longer
  end
  test "$command" = "$argv[1]"
end
${lines.join('\n')}
`;
}
