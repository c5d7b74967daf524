# bash completion of rota-worker(1).
_rota_worker() {
  local IFS=$' \t\n'
  local options='--help --version --config --log-level --log-format --broker --queue --slots --name --label --exec --command
    --max-output --drain-timeout'
  local word=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]}
  COMPREPLY=()
  if [[ $word == = ]]; then
    word=
  elif [[ $option == = ]]; then
    option=${COMP_WORDS[COMP_CWORD - 2]}
  fi
  case $option in
    --config)
      compopt -o filenames 2>/dev/null
      mapfile -t COMPREPLY < <(compgen -f -- "$word")
      return
      ;;
    --log-level) mapfile -t COMPREPLY < <(compgen -W 'trace debug info warn error off' -- "$word") && return ;;
    --log-format) mapfile -t COMPREPLY < <(compgen -W 'text json' -- "$word") && return ;;
    --help | --version | --exec) ;;
    --*) return ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
}

complete -F _rota_worker rota-worker
