/** The containers of an ordinary user's agent see and may do no more than those of root's. */
import { isolationSuite } from './isolation.suite.ts';
import { makeUserDirectory, startUserAgent } from './ordinary-user.ts';

isolationSuite({ isRoot: false, start: () => startUserAgent(makeUserDirectory()) });
