/** What limits did to a container, and what follows from it. */
export const pressureWords = {
  'hour.title': 'Last hour',
  'hour.observed': 'Recorded for {time}',
  'hour.key.throttled': 'throttled',
  'hour.key.event': 'limit reached',
  'hour.key.limit': 'limit',
  'hour.peak': 'peak {peak}',
  'hour.cpuLabel': 'CPU over the last hour: peak {peak}, throttled in {throttled}% of the periods.',
  'hour.memoryLabel':
    'Memory over the last hour: peak {peak}, {kills, plural, =0 {no OOM kills} one {# OOM kill} other {# OOM kills}}.',
  'hour.pidsLabel':
    'Processes over the last hour: peak {peak}, {refusals, plural, =0 {none refused} other {# refused}}.',
  'hour.ago': '{minutes} min ago',
  'hour.now': 'now',
  'hour.events': 'Limit events',
  'hour.earlier': '{count, plural, one {And # earlier.} other {And # earlier.}}',
  'limit-event.oom-kill':
    'OOM killed: {process} (PID {pid} on the machine), which used {memory}. The memory limit was reached.',
  'limit-event.oom-machine':
    'OOM killed: {process} (PID {pid} on the machine), which used {memory}. The machine ran out of memory.',
  'limit-event.oom-unknown':
    'OOM killed: {count, plural, one {a process} other {# processes}}. No name is known: {reason}.',
  'limit-event.pids-full':
    '{count, plural, one {A new process was refused} other {# new processes were refused}}: the process limit was reached.',
  'limit-event.memory-limit':
    'The memory limit was reached: the kernel had to reclaim pages first.',
  'limit-event.disk-limit': 'The disk limit was reached: less than 1 MiB was left, or no inode.',
  'limit-event.disk-volume': 'The volume {volume} was full: less than 1 MiB was left, or no inode.',
  'limit-event.disk-machine': 'The machine’s disk was full: less than 1 MiB was left, or no inode.',
  'limit-event.throttled': 'Throttled by the CPU limit in {count}% of the periods for ten seconds.',

  'advice.use': 'Use {value}',
  'advice.fromUse':
    'Suggested: in {seen} it used up to {peak}, 95% of the time at most {p95}; {headroom}% on top.',
  'advice.raise':
    'Suggested: the limit was reached for {limited} of the {seen} recorded; {headroom}% more.',
  'advice.tooLittle': 'A limit is suggested after {needed} of use; {seen} recorded so far.',
  'advice.throttled': 'Throttled in {share}% of the periods of the last hour.',
  'advice.oomKills':
    '{count, plural, one {# process was} other {# processes were}} OOM killed in the last hour.',
  'advice.limitHits':
    'Reached its limit {count, plural, one {once} other {# times}} in the last hour.',
  'advice.refusals':
    '{count, plural, one {# new process was} other {# new processes were}} refused in the last hour.',
  'advice.waitsForCpu': 'Waits for a CPU {share}% of the time now.',
  'advice.waitsForMemory': 'Waits for memory {share}% of the time now.',
} as const;
