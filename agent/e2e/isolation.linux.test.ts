/** What the containers of root's agent see and may do. */
import { makeAgentDirectory, startAgent } from './agent-process.ts';
import { isolationSuite } from './isolation.suite.ts';

isolationSuite({ isRoot: true, start: () => startAgent(makeAgentDirectory()) });
