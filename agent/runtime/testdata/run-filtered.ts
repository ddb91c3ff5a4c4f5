/** Loads the default filter on this process and becomes the command in the arguments. */
import koffi from 'koffi';
import { libcCall } from '../../kernel/libc.ts';
import { defaultCapabilities } from '../capabilities.ts';
import { compileSeccomp } from '../seccomp.ts';
import { defaultSeccompProfile } from '../seccomp-profile.ts';

const prctl = libcCall('prctl', ['int', 'ulong', 'ulong', 'ulong', 'ulong']);
const setNoNewPrivs = 38;
const setSeccomp = 22;
const modeFilter = 2;

const program = compileSeccomp(defaultSeccompProfile(defaultCapabilities));
// struct sock_fprog.
const description = Buffer.alloc(16);
description.writeUInt16LE(program.length / 8, 0);
description.writeBigUInt64LE(koffi.address(program), 8);
prctl('PR_SET_NO_NEW_PRIVS', setNoNewPrivs, 1, 0, 0, 0);
prctl('PR_SET_SECCOMP', setSeccomp, modeFilter, koffi.address(description), 0, 0);

const [file = '/bin/true', ...args] = process.argv.slice(2);
process.execve?.(file, [file, ...args]);
