/**
 * Compiles rules to a classic BPF program with libseccomp (seccomp_init(3) and its family). The program is only
 * exported: the shim's child loads it.
 *
 * libseccomp returns a negative errno and does not set errno.
 */
import { closeSync, fstatSync, readSync } from 'node:fs';
import { KernelError, libcCall, loadLibrary } from './libc.ts';

/** A comparison of a system call's argument (struct scmp_arg_cmp). */
export interface SeccompComparison {
  index: number;
  operator: SeccompOperator;
  /** The value, or the mask for `masked-equal`. */
  first: bigint;
  /** The masked value for `masked-equal`, otherwise 0. */
  second: bigint;
}

/** Numbers of enum scmp_compare. */
const operatorNumbers = {
  'not-equal': 1,
  less: 2,
  'less-or-equal': 3,
  equal: 4,
  'greater-or-equal': 5,
  greater: 6,
  'masked-equal': 7,
} as const;

export type SeccompOperator = keyof typeof operatorNumbers;

/** Action for calls of an architecture that was not added (enum scmp_filter_attr). */
const attributeBadArchitecture = 2;
/** Value 2 sorts the system calls into a binary tree (enum scmp_filter_attr). */
const attributeOptimize = 8;
const comparisonBytes = 24;
const memfdCloexec = 1;
/** No architecture has the system call (__NR_SCMP_ERROR). */
const unresolved = -1;

const memfdCreate = libcCall('memfd_create', ['str', 'uint']);

type Native = (...args: unknown[]) => unknown;
interface Library {
  init: Native;
  release: Native;
  nativeArchitecture: Native;
  resolveArchitecture: Native;
  addArchitecture: Native;
  setAttribute: Native;
  resolveCall: Native;
  addRule: Native;
  exportBpf: Native;
}

let loaded: Library | undefined;

/** Loads the library on first use, because only compiling a filter needs it. */
function library(): Library {
  if (loaded) return loaded;
  const handle = loadLibrary('libseccomp.so.2');
  loaded = {
    init: handle.func('seccomp_init', 'void *', ['uint32']),
    release: handle.func('seccomp_release', 'void', ['void *']),
    nativeArchitecture: handle.func('seccomp_arch_native', 'uint32', []),
    resolveArchitecture: handle.func('seccomp_arch_resolve_name', 'uint32', ['str']),
    addArchitecture: handle.func('seccomp_arch_add', 'int', ['void *', 'uint32']),
    setAttribute: handle.func('seccomp_attr_set', 'int', ['void *', 'int', 'uint32']),
    resolveCall: handle.func('seccomp_syscall_resolve_name', 'int', ['str']),
    addRule: handle.func('seccomp_rule_add_array', 'int', [
      'void *',
      'uint32',
      'int',
      'uint',
      'void *',
    ]),
    exportBpf: handle.func('seccomp_export_bpf', 'int', ['void *', 'int']),
  };
  return loaded;
}

/** The AUDIT_ARCH_… number of an architecture. */
export function nativeArchitecture(): number {
  return Number(library().nativeArchitecture());
}

/** The AUDIT_ARCH_… number of an architecture. */
export function architectureNumber(name: string): number | undefined {
  return Number(library().resolveArchitecture(name)) || undefined;
}

/**
 * Number of a system call on this machine: `undefined` for a name that the library does not know, negative for one
 * that only other architectures have, which {@link SeccompFilter.addRule} accepts.
 */
export function systemCallNumber(name: string): number | undefined {
  const number = Number(library().resolveCall(name));
  return number === unresolved ? undefined : number;
}

/** A filter under construction, which must be closed in any case. */
export class SeccompFilter {
  readonly #context: unknown;

  constructor(defaultAction: number, badArchitectureAction: number) {
    this.#context = library().init(defaultAction);
    if (!this.#context) throw new KernelError('seccomp_init', 22, `action ${defaultAction}`);
    this.#setAttribute(attributeBadArchitecture, badArchitectureAction);
    this.#setAttribute(attributeOptimize, 2);
  }

  /** Adds an architecture besides the native one, which is always included. */
  addArchitecture(architecture: number): void {
    const result = Number(library().addArchitecture(this.#context, architecture));
    // EEXIST means that it is included already.
    if (result !== -17) check('seccomp_arch_add', result, `architecture ${architecture}`);
  }

  /** Adds a rule, whose action applies when all comparisons hold; no two comparisons may have the same index. */
  addRule(
    action: number,
    call: { name: string; number: number },
    comparisons: SeccompComparison[],
  ): void {
    const memory = Buffer.alloc(comparisonBytes * comparisons.length);
    comparisons.forEach((comparison, position) => {
      const offset = position * comparisonBytes;
      memory.writeUInt32LE(comparison.index, offset);
      memory.writeUInt32LE(operatorNumbers[comparison.operator], offset + 4);
      memory.writeBigUInt64LE(comparison.first, offset + 8);
      memory.writeBigUInt64LE(comparison.second, offset + 16);
    });
    const count = comparisons.length;
    const result = library().addRule(this.#context, action, call.number, count, memory);
    check('seccomp_rule_add_array', Number(result), call.name);
  }

  /** Exports the program, an array of struct sock_filter. */
  export(): Buffer {
    // seccomp_export_bpf_mem is newer (2.6) than the oldest supported library, hence the file.
    const fd = memfdCreate('seccomp filter', 'corten-seccomp', memfdCloexec);
    try {
      check('seccomp_export_bpf', Number(library().exportBpf(this.#context, fd)));
      const program = Buffer.alloc(fstatSync(fd).size);
      readSync(fd, program, 0, program.length, 0);
      return program;
    } finally {
      closeSync(fd);
    }
  }

  close(): void {
    library().release(this.#context);
  }

  #setAttribute(attribute: number, value: number): void {
    const result = Number(library().setAttribute(this.#context, attribute, value));
    check('seccomp_attr_set', result, `attribute ${attribute}`);
  }
}

function check(call: string, result: number, subject?: string): void {
  if (result < 0) throw new KernelError(call, -result, subject);
}
