# fish completion of rota(1).

# Names that the broker knows: $argv[1] is the command that lists them, $argv[2] the field. A broker that does not answer costs
# half a second.
function __rota_names
    set -l words (commandline -opc)
    set -l broker
    if set -l at (contains -i -- --broker $words); and test $at -lt (count $words)
        set broker --broker $words[(math $at + 1)]
    end
    $words[1] $broker --timeout 500ms --output json $argv[1] 2>/dev/null </dev/null |
        string match -gr '"'$argv[2]'":"([A-Za-z0-9._@-]+)"'
end

# The last of several states with commas between them.
function __rota_states
    set -l before (string match -r '.*,' -- (commandline -ct) | string replace -r '^--state=' '')
    set -q before[1]; or set before ''
    for state in $argv
        echo $before$state
    end
end

set -l commands submit id status wait result list cancel retry purge queues pause resume workers drain stats ping bench
set -l none "not __fish_seen_subcommand_from $commands"

complete -c rota -f
complete -c rota -n $none -a submit -d 'Submit a command or a job for a handler'
complete -c rota -n $none -a id -d 'Make ids for submit --id'
complete -c rota -n $none -a status -d 'Tell the facts of jobs'
complete -c rota -n $none -a wait -d 'Wait until jobs are final'
complete -c rota -n $none -a result -d 'Write a job\'s result to stdout'
complete -c rota -n $none -a list -d 'List jobs, newest first'
complete -c rota -n $none -a cancel -d 'Cancel jobs'
complete -c rota -n $none -a retry -d 'Put final jobs back to ready'
complete -c rota -n $none -a purge -d 'Forget the jobs of a queue'
complete -c rota -n $none -a queues -d 'Show the queues'
complete -c rota -n $none -a pause -d 'Let a queue hand out nothing'
complete -c rota -n $none -a resume -d 'Let a paused queue go on'
complete -c rota -n $none -a workers -d 'Show the connected workers'
complete -c rota -n $none -a drain -d 'Let a worker finish what runs and leave'
complete -c rota -n $none -a stats -d 'Show the broker\'s counters'
complete -c rota -n $none -a ping -d 'Measure the round-trip time'
complete -c rota -n $none -a bench -d 'Put load on a broker and measure'

complete -c rota -n $none -l version -d 'Print the version and leave'
complete -c rota -s h -l help -d 'Print a summary and leave'
complete -c rota -l config -r -F -d 'Read options from this TOML file'
complete -c rota -l log-level -x -a 'trace debug info warn error off' -d 'What to log'
complete -c rota -l log-format -x -a 'text json' -d 'How to log'
complete -c rota -l broker -x -d 'The broker\'s endpoint for clients'
complete -c rota -l timeout -x -d 'Limit of a request'
complete -c rota -l output -x -a 'text json quiet' -d 'How to print'

set -l with_queue '__fish_seen_subcommand_from submit id list retry purge bench'
complete -c rota -n $with_queue -l queue -x -a '(__rota_names queues queue)' -d 'The queue'
complete -c rota -n '__fish_seen_subcommand_from pause resume' -a '(__rota_names queues queue)' -d Queue
complete -c rota -n '__fish_seen_subcommand_from drain' -a '(__rota_names workers name)' -d Worker
complete -c rota -n '__fish_seen_subcommand_from bench; and not __fish_seen_argument -l jobs' \
    -a 'submit lifecycle latency worker' -d Workload

set -l submit '__fish_seen_subcommand_from submit; and not __fish_seen_subcommand_from bench'
complete -c rota -n $submit -l type -x -d 'A job for this handler'
complete -c rota -n $submit -l payload -x -d 'The handler\'s input'
complete -c rota -n $submit -l payload-file -r -F -d 'The handler\'s input from a file or -'
complete -c rota -n $submit -l stdin -r -F -d 'What the command reads'
complete -c rota -n $submit -l env -x -d 'A variable for the command'
complete -c rota -n $submit -l cwd -x -a '(__fish_complete_directories)' -d 'The command\'s working directory'
complete -c rota -n $submit -l each-line -r -F -d 'One job per line'
complete -c rota -n $submit -l array -x -d 'One job per index: A-B[:STEP]'
complete -c rota -n $submit -l id -x -d 'The job\'s id, from rota id'
complete -c rota -n $submit -l name -x -d 'A name for people'
complete -c rota -n $submit -l header -x -d 'Handed to the handler'
complete -c rota -n $submit -l key -x -d 'At most one unfinished job per queue and key'
complete -c rota -n $submit -l key-for -x -d 'Hold the key so long beyond the end'
complete -c rota -n $submit -l priority -x -d '-128 to 127, higher first'
complete -c rota -n $submit -l delay -x -d 'Not before this has passed'
complete -c rota -n $submit -l at -x -d 'Not before this time (RFC 3339)'
complete -c rota -n $submit -l retries -x -d 'How often a failed attempt is run again'
complete -c rota -n $submit -l backoff -x -d 'The wait before a retry'
complete -c rota -n $submit -l losses -x -d 'How often a lost run is run again'
complete -c rota -n $submit -l time-limit -x -d 'The longest one attempt may run'
complete -c rota -n $submit -l expires -x -d 'Not started by then: expired'
complete -c rota -n $submit -l keep -x -d 'How long the outcome can be read'
complete -c rota -n $submit -l durability -x -a 'fsync memory' -d 'What the acknowledgement means'
complete -c rota -n $submit -l wait -d 'Wait for the end, exit with the job\'s exit code'

complete -c rota -n '__fish_seen_subcommand_from id' -l count -x -d 'How many'

set -l list '__fish_seen_subcommand_from list'
complete -c rota -n $list -l type -x -d 'Only jobs of this type'
complete -c rota -n $list -l since -x -d 'Only jobs submitted within this time'
complete -c rota -n $list -l limit -x -d 'How many at most'
complete -c rota -n $list -l from -x -d 'Go on where an earlier list ended'
complete -c rota -n $list -l state -x -d 'Only jobs in these states' \
    -a '(__rota_states scheduled ready running succeeded failed cancelled expired)'
complete -c rota -n '__fish_seen_subcommand_from retry' -l state -x -d 'Which jobs of the queue' \
    -a '(__rota_states succeeded failed cancelled expired)'
complete -c rota -n '__fish_seen_subcommand_from purge' -l state -x -d 'Only jobs in these states' \
    -a '(__rota_states scheduled ready succeeded failed cancelled expired)'
complete -c rota -n '__fish_seen_subcommand_from purge' -l yes -d 'Really do it'

set -l bench '__fish_seen_subcommand_from bench'
complete -c rota -n $bench -l jobs -x -d 'How many'
complete -c rota -n $bench -l payload -x -d 'Bytes in each job'
complete -c rota -n $bench -l batch -x -d 'Jobs in one message at most'
complete -c rota -n $bench -l window -x -d 'Jobs in flight at most'
complete -c rota -n $bench -l rate -x -d 'latency: jobs a second'
complete -c rota -n $bench -l durability -x -a 'fsync memory' -d 'What the acknowledgement means'
complete -c rota -n $bench -l keep -x -d 'How long outcomes can be read'
complete -c rota -n $bench -l workers -x -d 'Worker processes to start'
complete -c rota -n $bench -l workers-endpoint -x -d 'Where they register'
complete -c rota -n $bench -l slots -x -d 'Slots of each worker'
complete -c rota -n $bench -l name -x -d 'worker: its name'
