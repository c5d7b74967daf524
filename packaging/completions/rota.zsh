#compdef rota rota-broker rota-worker
# zsh completion of rota(1), rota-broker(1) and rota-worker(1).

# Names that the broker knows: $1 is the command that lists them, $2 the field. A broker that does not answer costs half a second.
_rota_names() {
  local -a names
  names=(${(f)"$($program $broker --timeout 500ms --output json $1 2>/dev/null </dev/null |
    sed -nE 's/.*"'$2'":"([A-Za-z0-9._@-]+)".*/\1/p')"})
  compadd -a names
}

_rota_queue_names() { _rota_names queues queue }
_rota_worker_names() { _rota_names workers name }

_rota_common() {
  common=(
    '(-h --help)'{-h,--help}'[print a summary and leave]'
    '--config[read options from this TOML file]:file:_files'
    '--log-level[what to log]:level:(trace debug info warn error off)'
    '--log-format[how to log]:format:(text json)'
  )
}

_rota_client() {
  local -a common specs
  _rota_common
  local -a commands=(
    'submit:submit a command, a job for a handler, or one job per line or index'
    'id:make ids for submit --id'
    'status:tell the facts of jobs'
    'wait:wait until jobs are final'
    "result:write a job's result to stdout"
    'list:list jobs, newest first'
    'cancel:cancel jobs'
    'retry:put final jobs back to ready'
    'purge:forget the jobs of a queue'
    'queues:show the queues with their jobs by state'
    'pause:let a queue hand out nothing'
    'resume:let a paused queue go on'
    'workers:show the connected workers'
    'drain:let a worker finish what runs and leave'
    "stats:show the broker's counters"
    'ping:measure the round-trip time'
    'bench:put load on a broker and measure'
  )
  common+=(
    "--broker[the broker's endpoint for clients]:endpoint:"
    '--timeout[limit of a request]:duration:'
    '--output[how to print]:format:(text json quiet)'
  )
  local queue='--queue[the queue]:queue:_rota_queue_names'
  local durability='--durability[what the acknowledgement means]:durability:(fsync memory)'
  local program=${(Q)words[1]} command= at
  local -a broker
  at=${words[(I)--broker]}
  (( at > 0 && at < CURRENT - 1 )) && broker=(--broker ${(Q)words[at + 1]})
  for (( at = 2; at < CURRENT; at++ )); do
    case $words[at] in
      --) break ;;
      --broker|--timeout|--output|--config|--log-level|--log-format) (( at++ )) ;;
      -*) ;;
      *) command=$words[at]; break ;;
    esac
  done
  # _arguments describes the words behind the first, so a command becomes the first. Here, because zsh gives a function's caller
  # its own words back.
  if [[ -n $command ]]; then
    at=${words[(i)$command]}
    shift $(( at - 1 )) words
    (( CURRENT -= at - 1 ))
  fi
  case $command in
    '') specs=('--version[print the version and leave]' '1:command:{_describe command commands}') ;;
    submit)
      specs=(
        $queue
        '--type[a job for this handler]:type:'
        "--payload[the handler's input]:text:"
        "--payload-file[the handler's input from a file or -]:file:_files"
        '--stdin[what the command reads]:file:_files'
        '*--env[a variable for the command]:name=value:'
        "--cwd[the command's working directory]:directory:_files -/"
        '--each-line[one job per line]:file:_files'
        '--array[one job per index]:A-B[\:STEP]:'
        "--id[the job's id, from rota id]:id:"
        '--name[a name for people]:text:'
        '*--header[handed to the handler]:name=value:'
        '--key[at most one unfinished job per queue and key]:key:'
        '--key-for[hold the key so long beyond the end]:duration:'
        '--priority[-128 to 127, higher first]:number:'
        '--delay[not before this has passed]:duration:'
        '--at[not before this time]:time (RFC 3339):'
        '--retries[how often a failed attempt is run again]:number:'
        '--backoff[the wait before a retry]:duration[,factor[,longest]]:'
        '--losses[how often a run whose worker was lost is run again]:number:'
        '--time-limit[the longest one attempt may run]:duration:'
        '--expires[not started by then\: expired]:duration:'
        '--keep[how long the outcome can be read]:duration:'
        $durability
        "--wait[wait for the end, exit with the job's exit code]"
      )
      # Behind -- stands the job's own command.
      if (( ${words[(I)--]} > 0 && ${words[(I)--]} < CURRENT )); then
        at=${words[(I)--]}
        shift $at words
        (( CURRENT -= at ))
        _normal
        return
      fi
      ;;
    id) specs=($queue '--count[how many]:number:') ;;
    list)
      specs=(
        $queue
        '--state[only jobs in these states]:state:_values -s , state scheduled ready running succeeded failed cancelled expired'
        '--type[only jobs of this type]:type:'
        '--since[only jobs submitted within this time]:duration:'
        '--limit[how many at most]:number:'
        '--from[go on where an earlier list ended]:cursor:'
      )
      ;;
    retry)
      specs=($queue '--state[which jobs of the queue]:state:_values -s , state succeeded failed cancelled expired' '*:id:') ;;
    purge)
      specs=($queue '--state[only jobs in these states]:state:_values -s , state scheduled ready succeeded failed cancelled expired'
        '--yes[really do it]') ;;
    pause|resume) specs=('1:queue:_rota_queue_names') ;;
    drain) specs=('1:worker:_rota_worker_names') ;;
    status|wait|result|cancel) specs=('*:id:') ;;
    bench)
      specs=(
        '1:workload:(submit lifecycle latency worker)'
        '--jobs[how many]:number:'
        '--payload[bytes in each job]:size:'
        '--batch[jobs in one message at most]:number:'
        '--window[jobs in flight at most]:number:'
        '--rate[latency\: jobs a second]:number:'
        $durability
        $queue
        '--keep[how long outcomes can be read]:duration:'
        '--workers[worker processes to start]:number:'
        '--workers-endpoint[where they register]:endpoint:'
        '--slots[slots of each worker]:number:'
        '--name[worker\: its name]:name:'
      )
      ;;
  esac
  _arguments $common $specs
}

_rota_broker() {
  local -a common specs
  _rota_common
  local command=${${words[2,CURRENT - 1]}[(r)(check|backup)]} at
  if [[ -n $command ]]; then
    at=${words[(i)$command]}
    shift $(( at - 1 )) words
    (( CURRENT -= at - 1 ))
  fi
  specs=('--data[where jobs are kept]:directory:_files -/')
  case $command in
    check) ;;
    backup) specs+=('1:target:_files -/') ;;
    *)
      specs+=(
        '--version[print the version and leave]'
        '--clients[where clients connect]:endpoint:'
        '--workers[where workers connect]:endpoint:'
        '--http[health and metrics]:address:(off)'
        '--store[how jobs are kept]:store:(lmdb memory)'
        '--memory-limit[for memory jobs and what is not synced yet]:size:'
        '--store-limit[largest store on disk]:size:'
        '--finished-limit[finished jobs kept at most]:size:'
        '--max-payload[largest payload of a job]:size:'
        '--lease[a worker silent for this long has lost its jobs]:duration:'
        '--reattach[after a restart, workers have this long to come back]:duration:'
        '--dedup-window[finished ids are known at least this long]:duration:'
        '--advertise[the host that peers are told to use]:host:_hosts'
        '--insecure[allow addresses that other machines reach]'
        '1:command:((check\:"verify the store of a stopped broker" backup\:"copy a store"))'
      )
      ;;
  esac
  _arguments $common $specs
}

_rota_worker() {
  local -a common
  _rota_common
  _arguments $common \
    '--version[print the version and leave]' \
    "*--broker[a broker's endpoint for workers]:endpoint:" \
    '*--queue[a queue to serve]:name[=weight]:' \
    '--slots[jobs at a time]:number:' \
    '--name[a unique name]:name:' \
    '*--label[a label, shown by rota workers]:name=value:' \
    '--exec[run any command that clients submit]' \
    '*--command[run this command for jobs of type NAME]:NAME=COMMANDLINE:' \
    "--max-output[keep this much of a command's stdout]:size:" \
    '--drain-timeout[kill what still runs this long after a drain began]:duration:'
}

case $service in
  rota-broker) _rota_broker ;;
  rota-worker) _rota_worker ;;
  *) _rota_client ;;
esac
