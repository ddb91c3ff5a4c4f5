/** The groups of attacks by the names that `--only` takes, in the order in which they run. */
import type { Engine } from '../peers/engines.ts';
import { copies } from './copies.ts';
import type { Finding } from './finding.ts';
import { incidents } from './incidents.ts';
import { races } from './races.ts';
import { runScenarios } from './scenario.ts';
import { settings } from './settings.ts';
import { attackCalls, attackTerminal, attackTopic, topics } from './topics.ts';

export const groups: Record<string, (engine: Engine) => Promise<Finding[]>> = {
  calls: ({ client }) => attackCalls(client),
  ...Object.fromEntries(
    topics.map((topic) => [topic, ({ client }: Engine) => attackTopic(client, topic)]),
  ),
  terminal: ({ client }) => attackTerminal(client),
  incidents: ({ client }) => runScenarios('incidents', incidents, client),
  settings: ({ client }) => runScenarios('settings', settings, client),
  copies: ({ client }) => runScenarios('copies', copies, client),
  races: ({ client }) => runScenarios('races', races, client),
};
