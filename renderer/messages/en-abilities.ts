/** The names of what a machine may not let the engine do; causes and next steps are the engine's own words. */
export const abilityWords = {
  'abilities.title': 'Not available on this machine',
  'abilities.unprivileged':
    'The engine runs without root. Containers work; what follows does not, and this is how to get it.',
  'abilities.missing': 'This machine keeps the engine from some things. This is how to get them.',
  'abilities.limits': 'CPU, memory and process limits',
  'abilities.pause': 'Pausing containers',
  'abilities.disk-limits': 'Disk limits',
  'abilities.outside-network': 'Network access from containers',
  'abilities.low-ports': 'Publishing low ports',
  'abilities.source-addresses': 'Clients’ addresses at published ports',
  'abilities.devices': 'All devices',
  'abilities.user-namespaces': 'User namespaces of their own',
  'abilities.raised-limits': 'Raising process limits',
  'abilities.kill-reasons': 'Details of OOM kills',
  'abilities.after-logout': 'Running on after logout',
} as const;
