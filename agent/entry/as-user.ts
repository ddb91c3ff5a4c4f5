/**
 * The agent of an ordinary user starts here: this program creates or joins the user's namespaces and executes `main.ts`
 * in them, where it is root. It is a program of its own, so that a start does not load the whole agent twice.
 */
import { writeSync } from 'node:fs';
import { findPackageJSON } from 'node:module';
import { dirname, extname, join } from 'node:path';
import { delegatedGroup } from '../cgroup/delegated.ts';
import { joinUserScope } from '../cgroup/user-scope.ts';
import { parseOptions, usage } from '../options.ts';
import { enterNamespaces } from '../rootless/enter.ts';

const repository = dirname(findPackageJSON(import.meta.url) ?? 'package.json');

try {
  const options = parseOptions(process.argv.slice(2));
  if (options === undefined) process.stdout.write(`${usage}\n`);
  else await enter(options);
} catch (error) {
  writeSync(2, `corten: start: ${error instanceof Error ? error.message : error}\n`);
  process.exit(1);
}

async function enter({ root, run }: { root: string; run: string }): Promise<void> {
  const { execPath, execArgv, argv } = process;
  const shimPath = join(repository, 'dist/shim/shim');
  // A cgroup that is already delegated is used as it is (`systemd-run --user --scope -p Delegate=yes`).
  const joinGroup = async () =>
    typeof delegatedGroup() === 'string' ? undefined : joinUserScope(run);
  await enterNamespaces({ run, shimPath, joinGroup }, [
    execPath,
    ...execArgv,
    join(import.meta.dirname, `../main${extname(import.meta.filename)}`),
    ...argv.slice(2),
    // Later options win; inside the namespaces the defaults would be root's.
    ...['--root', root, '--run', run],
  ]);
}
