# Functions for the emulated machines, sourced by devtools/guest-tests/machine and devtools/desktop-tests/boot.
# shellcheck shell=bash disable=SC2034

# The console goes to a file, since it may hang for good when its reader is slow.
emulated() { # CONSOLE-FILE
  printf '%s\n' -M q35 -cpu max -accel tcg,thread=multi,tb-size=512 -m 3072 -smp "${CORTEN_GUEST_PROCESSORS:-2}" \
    -display none -nodefaults -no-user-config -monitor none -serial none \
    -device virtio-serial -chardev "file,id=console,path=$1" -device virtconsole,chardev=console
}
kernel_words="console=hvc0 quiet panic=-1 initcall_blacklist=jent_mod_init cryptomgr.notests=1 random.trust_cpu=on no_timer_check"

disk() { # SERIAL FILE OPTIONS
  printf -- '-drive\nfile=%s,format=raw,if=none,id=%s%s\n-device\nvirtio-blk-pci,drive=%s,serial=%s\n' \
    "$2" "$1" "${3:-}" "$1" "$1"
}

# Packs this checkout into an erofs image, without packages that tests in the machine do not need, such as browsers.
pack_code() { # FILE REGEX-OF-NODE-MODULES-LEFT-OUT
  mkfs.erofs --quiet "$1" . \
    --exclude-regex="^\.git\$|^dist/(vm-image|guest-tests|desktop-tests|remote|compile-cache|shim-check)|^node_modules/($2@biomejs|@typescript|typescript|@rolldown|lightningcss|electron|@electron|playwright-core|@base-ui|@xterm)" \
    >/dev/null
}
