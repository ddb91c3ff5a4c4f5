/** The agent as a machine's first service: one script, the program that loads it, and V8's code of it. */
import { join } from 'node:path';
import { bundleGuestAgent } from '../recipe/agent-bundle.ts';
import { cortenPath } from '../recipe/agent-files.ts';
import { type Architecture, architectures } from '../recipe/architecture.ts';
import type { FileTree } from '../recipe/file-tree.ts';
import { compiledCode } from './compiled-code.ts';
import { guestFile } from './root.ts';

const agentPath = `${cortenPath}/dist/agent`;

export async function addGuestAgent(
  tree: FileTree,
  repository: string,
  architecture: Architecture,
): Promise<void> {
  const script = await bundleGuestAgent(join(repository, 'dist/agent'));
  tree.file(`${agentPath}/guest-agent.cjs`, script);
  tree.file(`${agentPath}/guest-main.js`, guestFile('load.js'));
  // V8 takes code of its own processor alone.
  if (architectures[architecture].npm === process.arch)
    tree.file(`${agentPath}/guest-agent.code`, compiledCode(script, repository));
}

/** Removes `main.js`, which only WSL starts: a machine has the same code in its one script. */
export function removeModuleAgent(tree: FileTree): void {
  tree.remove(`${agentPath}/main.js`);
}
