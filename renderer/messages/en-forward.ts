/** The machine on this computer: the docker CLI's context, and ports. */
export const forwardWords = {
  'context.title': 'Docker command line',
  'context.about':
    'A Docker context lets “docker”, “docker compose” and editors on this computer use this machine.',
  'context.leadsTo': 'Endpoint',
  'context.state': 'Context “{name}”',
  'context.none': 'not set up',
  'context.setUp': 'set up',
  'context.current': 'set up, and what “docker” uses',
  'context.doSetUp': 'Set up',
  'context.doUse': 'Set up and use',
  'context.use': 'Use for “docker”',
  'context.remove': 'Remove',
  'context.overridden':
    'The variable {variable} is set where the app runs. Where it is set, “docker” ignores contexts.',
  'context.line': 'Without using it for everything: docker --context {name} ps',
  'failed.contextSetUp': 'The Docker context was not set up',
  'failed.contextRemove': 'The Docker context was not removed',
  'port.failed': 'Not published: {cause}. What to do: {nextStep}.',
  'port.partly': '{cause}.',
} as const;
