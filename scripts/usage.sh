# Answers --help and refuses a wrong command line, for the commands of this folder; sourced by them.
# shellcheck shell=bash

# A command calls this before anything else, with its arguments, and gives its usage text as input:
#
#   answer_usage "$@" <<'USAGE'
#   What the command does, in one sentence.
#
#   Usage: scripts/NAME [OPTION…] FILE [WORD…]
#
#     --flag           what it does
#     --option VALUE   what it does; two spaces or more stand before this text
#   USAGE
#
# The text is also the specification: its usage line says how many arguments there may be, its indented lines which
# options there are, and which of them take a value; one that is called N is a whole number. --help prints the text and
# exits 0. A wrong command line is named on stderr and exits 2. Only bash is needed, so that a checkout answers before
# anything is installed.
answer_usage() {
  local text line fewest=0 most=0 given=0
  local -A takes=([--help]=nothing [-h]=nothing)
  IFS= read -r -d '' text || true
  while IFS= read -r line; do
    if [[ $line =~ ^'Usage: '[^\ ]+\ ?(.*)$ ]]; then
      usage_line=$line
      count_arguments "${BASH_REMATCH[1]}"
    elif [[ $line =~ ^\ +(--[a-z-]+)(' '[^\ ]+|=|'[=')? ]]; then
      note_option "${BASH_REMATCH[1]}" "${BASH_REMATCH[2]-}"
    fi
  done <<<"$text"

  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help) printf '%s' "$text" && exit 0 ;;
      --) given=$((given + $# - 1)) && break ;;
      --*=*)
        case ${takes[${1%%=*}]-} in
          '') refuse "unknown option '${1%%=*}'" ;;
          nothing) refuse "option '${1%%=*}' takes no value" ;;
          number) check_number "${1%%=*}" "${1#*=}" ;;
        esac
        ;;
      -?*)
        case ${takes[$1]-} in
          '') refuse "unknown option '$1'" ;;
          value | number)
            [ $# -gt 1 ] || refuse "option '$1' takes a value"
            [ "${takes[$1]}" = value ] || check_number "$1" "$2"
            shift
            ;;
        esac
        ;;
      *)
        given=$((given + 1))
        [ "$given" -le "$most" ] || refuse "unexpected argument '$1'"
        ;;
    esac
    shift
  done
  [ "$given" -ge "$fewest" ] || refuse "an argument is missing"
}

# Takes what the usage line has after the command's name: [X] may be left out, X… may be repeated.
count_arguments() {
  local word words
  read -ra words <<<"$1"
  for word in "${words[@]}"; do
    case $word in
      '[OPTION…]') continue ;;
      '['*) ;;
      *) fewest=$((fewest + 1)) ;;
    esac
    most=$((most + 1))
    case $word in *…*) most=1000000 ;; esac
  done
}

# Takes an option and the beginning of what follows it: `--option VALUE`, `--option[=VALUE]` or `--option=VALUE`.
note_option() {
  local kind=nothing
  case $2 in ' N') kind=number ;; ' '*) kind=value ;; = | '[=') kind=perhaps ;; esac
  case ${takes[$1]-nothing} in nothing) takes[$1]=$kind ;; esac
}

check_number() { # OPTION VALUE
  [[ $2 =~ ^[0-9]+$ ]] || refuse "option '$1' takes a whole number, not '$2'"
}

# For what the usage text cannot say, a command may refuse its arguments itself.
refuse() { # MESSAGE
  local name=${0##*/}
  printf "%s: %s\n%s\nTry 'scripts/%s --help'.\n" "$name" "$1" "$usage_line" "$name" >&2
  exit 2
}
