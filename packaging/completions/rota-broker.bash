# bash completion of rota-broker(1).
_rota_broker() {
  local IFS=$' \t\n'
  local options='--help --version --config --log-level --log-format --data --clients --workers --http --store --memory-limit
    --store-limit --finished-limit --max-payload --lease --reattach --dedup-window --advertise --insecure'
  local word=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]} command= at
  COMPREPLY=()
  if [[ $word == = ]]; then
    word=
  elif [[ $option == = ]]; then
    option=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  for ((at = 1; at < COMP_CWORD; at++)); do
    case ${COMP_WORDS[at]} in check | backup) [[ ${COMP_WORDS[at - 1]} == --* ]] || command=${COMP_WORDS[at]} ;; esac
  done
  case $option in
    --config)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return
      ;;
    --data)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -d -- "$word")
      return
      ;;
    --store) mapfile -t COMPREPLY < <(compgen -W 'lmdb memory' -- "$word") && return ;;
    --http) mapfile -t COMPREPLY < <(compgen -W 'off' -- "$word") && return ;;
    --log-level) mapfile -t COMPREPLY < <(compgen -W 'trace debug info warn error off' -- "$word") && return ;;
    --log-format) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$word") && return ;;
    --help | --version | --insecure) ;;
    --*) return ;;
  esac
  if [[ $word == -* ]]; then
    [[ -z $command ]] || options='--help --config --log-level --log-format --data'
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
  elif [[ $command == backup ]]; then
    compopt -o filenames 2>/dev/null
    mapfile -t COMPREPLY < <(compgen -d -- "$word")
  elif [[ -z $command ]]; then
    mapfile -t COMPREPLY < <(compgen -W 'check backup' -- "$word")
  fi
}

complete -F _rota_broker rota-broker
