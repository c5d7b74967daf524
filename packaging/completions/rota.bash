# bash completion of rota(1). Needs nothing but bash; uses bash-completion's way into a job's own command where it is loaded.

# Names that the broker knows: $1 is the command that lists them, $2 the field. compgen expands what it is given, so only names
# of harmless characters are passed on. A broker that does not answer costs half a second.
_rota_names() {
  local broker=()
  [[ $COMP_LINE =~ --broker[=\ ]+([^[:space:]]+) ]] && broker=(--broker "${BASH_REMATCH[1]}")
  "${COMP_WORDS[0]}" "${broker[@]}" --timeout 500ms --output json "$1" 2>/dev/null </dev/null |
    sed -nE 's/.*"'"$2"'":"([A-Za-z0-9._@-]+)".*/\1/p'
}

# The last of several states with commas between them.
_rota_states() {
  local before=
  [[ $1 == *,* ]] && before=${1%,*},
  compgen -P "$before" -W "$2" -- "${1##*,}"
}

# Fills COMPREPLY with values of option $1 of command $2 that begin with $3. False: such an option takes no value.
_rota_value() {
  local word=$3
  case $1 in
    --queue) mapfile -t COMPREPLY < <(compgen -W "$(_rota_names queues queue)" -- "$word") ;;
    --state)
      local states='scheduled ready running succeeded failed cancelled expired'
      [[ $2 == retry ]] && states='succeeded failed cancelled expired'
      [[ $2 == purge ]] && states='scheduled ready succeeded failed cancelled expired'
      mapfile -t COMPREPLY < <(_rota_states "$word" "$states")
      ;;
    --output) mapfile -t COMPREPLY < <(compgen -W 'text json quiet' -- "$word") ;;
    --log-level) mapfile -t COMPREPLY < <(compgen -W 'trace debug info warn error off' -- "$word") ;;
    --log-format) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$word") ;;
    --durability) mapfile -t COMPREPLY < <(compgen -W 'fsync memory' -- "$word") ;;
    --config | --payload-file | --stdin | --each-line)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      ;;
    --cwd)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -d -- "$word")
      ;;
    --payload) [[ $2 != bench ]] || mapfile -t COMPREPLY < <(compgen -W '100B 1KiB 64KiB' -- "$word") ;;
    --type) mapfile -t COMPREPLY < <(compgen -W 'exec' -- "$word") ;;
    --broker | --timeout | --env | --array | --id | --name | --header | --key | --key-for | --priority | --delay | --at | \
      --retries | --backoff | --losses | --time-limit | --expires | --keep | --count | --since | --limit | --from | --jobs | \
      --batch | --window | --rate | --workers | --workers-endpoint | --slots) ;;
    *) return 1 ;;
  esac
}

# The options of command $1 (none: of rota itself), without those of all commands.
_rota_options() {
  case $1 in
    submit)
      echo --queue --type --payload --payload-file --stdin --env --cwd --each-line --array --id --name --header --key \
        --key-for --priority --delay --at --retries --backoff --losses --time-limit --expires --keep --durability --wait
      ;;
    id) echo --queue --count ;;
    list) echo --queue --state --type --since --limit --from ;;
    retry) echo --queue --state ;;
    purge) echo --queue --state --yes ;;
    bench)
      echo --jobs --payload --batch --window --rate --durability --queue --keep --workers --workers-endpoint --slots --name
      ;;
    '') echo --version ;;
  esac
}

_rota() {
  local IFS=$' \t\n'
  local commands='submit id status wait result list cancel retry purge queues pause resume workers drain stats ping bench'
  local common='--help --config --log-level --log-format --broker --timeout --output'
  local word=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]} command= at skip=
  COMPREPLY=()
  # bash splits --option=value into three words.
  if [[ $word == = ]]; then
    word=
  elif [[ $option == = ]]; then
    option=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((at = 1; at < COMP_CWORD; at++)); do
    case ${COMP_WORDS[at]} in
      --)
        # The job's own command.
        if declare -F _command_offset >/dev/null; then
          _command_offset $((at + 1))
        elif ((COMP_CWORD == at + 1)); then
          mapfile -t COMPREPLY < <(compgen -c -- "$word")
        else
          compopt -o filenames 2>/dev/null
          mapfile -t COMPREPLY < <(compgen -f -- "$word")
        fi
        return
        ;;
    esac
    [[ -n $command ]] && continue
    # An endpoint is several words (bash splits at colons), so a command is told by its name, not by its place.
    [[ -z $skip && " $commands " == *" ${COMP_WORDS[at]} "* ]] && command=${COMP_WORDS[at]}
    skip=
    case ${COMP_WORDS[at]} in --config | --timeout | --output | --log-level | --log-format) skip=1 ;; esac
  done
  if [[ $option == --* ]] && _rota_value "$option" "$command" "$word"; then return; fi
  if [[ $word == -* ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$(_rota_options "$command") $common" -- "$word")
    return
  fi
  case $command in
    '') mapfile -t COMPREPLY < <(compgen -W "$commands" -- "$word") ;;
    pause | resume) mapfile -t COMPREPLY < <(compgen -W "$(_rota_names queues queue)" -- "$word") ;;
    drain) mapfile -t COMPREPLY < <(compgen -W "$(_rota_names workers name)" -- "$word") ;;
    bench) mapfile -t COMPREPLY < <(compgen -W 'submit lifecycle latency worker' -- "$word") ;;
  esac
}

complete -F _rota rota
