/** Limits of an agent of the machine's root. */
import { readFileSync } from 'node:fs';
import { discardAgent, makeAgentDirectory, startAgent } from './agent-process.ts';
import { limitsSuite } from './limits.suite.ts';

limitsSuite(async () => {
  const agent = await startAgent(makeAgentDirectory());
  return {
    socket: agent.socket,
    device: rootDevice(agent.root),
    discard: () => discardAgent(agent),
  };
});

/** The block device under the agent's state, when it is a real one. */
function rootDevice(root: string): string | undefined {
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' '));
  const under = mounts
    .filter(([, point = '']) => root.startsWith(point === '/' ? '/' : `${point}/`))
    .sort(([, a = ''], [, b = '']) => b.length - a.length)[0]?.[0];
  return under?.startsWith('/dev/') ? under : undefined;
}
