/** What each kind of namespace hides, and what shows when it is not the container's own (namespaces(7)). */
import type { NamespaceFact, NamespaceType } from '../../contract/isolation.ts';

export const namespaceMeanings: Readonly<
  Record<NamespaceType, Record<NamespaceFact['scope'], string>>
> = {
  mount: {
    own: 'It sees only the files of its image and what was mounted into it, not the machine’s.',
    shared: 'It sees the same mounts as the containers named here.',
    host: 'It sees every file system of the machine.',
  },
  pid: {
    own: 'It sees and can signal only its own processes.',
    shared: 'It sees, and can signal, the processes of the containers named here.',
    host: 'It sees every process of the machine, and as root can signal them.',
  },
  network: {
    own: 'It has interfaces, addresses and ports of its own; the machine’s are out of sight.',
    shared: 'It has the same interfaces, addresses and ports as the containers named here.',
    host: 'It uses the machine’s network itself: every interface, and services that listen on localhost only.',
  },
  ipc: {
    own: 'Shared memory and message queues of other programs are out of reach.',
    shared: 'It can use the shared memory of the containers named here.',
    host: 'It can use shared memory and message queues of the machine’s programs.',
  },
  uts: {
    own: 'It has a host name of its own, and cannot change the machine’s.',
    shared: 'It has the same host name as the containers named here.',
    host: 'It has the machine’s host name, and could change it if it may administer.',
  },
  user: {
    own: 'Its users are others than the machine’s: root inside is nobody special outside.',
    shared: 'Its users are the same as in the containers named here, but not the machine’s.',
    host: 'Root inside is root outside, held back by its capabilities, its filter of system calls and the rest of this report.',
  },
  cgroup: {
    own: 'It sees only its own control group, not those of others.',
    shared: 'It sees the same control groups as the containers named here.',
    host: 'It sees the names of all control groups, so of what else runs here.',
  },
  time: {
    own: 'It has clocks of its own for the time since boot.',
    shared: 'It has the same clocks as the containers named here.',
    host: 'It sees how long the machine has been up. The date is one for all in any case.',
  },
};
