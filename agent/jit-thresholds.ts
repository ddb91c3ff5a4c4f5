/**
 * Compiles what is called again after a few calls and not after hundreds: most of what the agent does it does
 * seldom, and somebody waits for each time.
 *
 * Names that V8 does not know are told on stderr, and change nothing.
 */
import { setFlagsFromString } from 'node:v8';

/** Once the agent has started, most of which is never done again: compiled, it would take 35 MB. */
export function lowerJitThresholds(): void {
  // After how many calls a function's types are noted, and after how many it is compiled for them.
  setFlagsFromString('--invocation-count-for-feedback-allocation=2');
  setFlagsFromString('--invocation-count-for-maglev=10');
  // A call that meets a new type begins to count anew; V8's own 500 are for code that is called all the time.
  setFlagsFromString('--minimum-invocations-after-ic-update=5');
}
