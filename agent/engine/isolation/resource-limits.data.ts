/** Resource limits: docker's name (`--ulimit`), the kernel's, and what each holds back (getrlimit(2)). */
export const resourceLimits: readonly { ulimit: string; name: string; meaning: string }[] = [
  { ulimit: 'cpu', name: 'Max cpu time', meaning: 'CPU time after which a process is ended.' },
  { ulimit: 'fsize', name: 'Max file size', meaning: 'The largest file that a process can write.' },
  {
    ulimit: 'data',
    name: 'Max data size',
    meaning: 'Memory that one process can ask for as data.',
  },
  {
    ulimit: 'stack',
    name: 'Max stack size',
    meaning: 'How deep the calls of one program can nest.',
  },
  {
    ulimit: 'core',
    name: 'Max core file size',
    meaning: 'The largest memory dump that a crash leaves on disk.',
  },
  { ulimit: 'rss', name: 'Max resident set', meaning: 'Without effect on this kernel.' },
  {
    ulimit: 'nproc',
    name: 'Max processes',
    meaning:
      'Processes of one user, counted over the whole machine; the control group counts its own.',
  },
  {
    ulimit: 'nofile',
    name: 'Max open files',
    meaning: 'Files and sockets one process can hold open.',
  },
  {
    ulimit: 'memlock',
    name: 'Max locked memory',
    meaning: 'Memory that one process can keep from being swapped out.',
  },
  { ulimit: 'as', name: 'Max address space', meaning: 'Memory that one process can have in all.' },
  { ulimit: 'locks', name: 'Max file locks', meaning: 'Without effect on this kernel.' },
  {
    ulimit: 'sigpending',
    name: 'Max pending signals',
    meaning: 'Signals that can wait for one user.',
  },
  {
    ulimit: 'msgqueue',
    name: 'Max msgqueue size',
    meaning: 'Memory that one user’s message queues can take.',
  },
  {
    ulimit: 'nice',
    name: 'Max nice priority',
    meaning: 'How far a process can raise its priority.',
  },
  {
    ulimit: 'rtprio',
    name: 'Max realtime priority',
    meaning: 'How far a process can go ahead of all others on a CPU.',
  },
  {
    ulimit: 'rttime',
    name: 'Max realtime timeout',
    meaning: 'How long such a process can keep a CPU to itself.',
  },
];
