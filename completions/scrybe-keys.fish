# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_scrybe_keys_global_optspecs
    string join \n config= environment= database-url= database-url-file= kms= region= key= json q/quiet v/verbose no-input print-iam timeout= progress= color= h/help V/version
end

function __fish_scrybe_keys_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_scrybe_keys_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_scrybe_keys_using_subcommand
    set -l cmd (__fish_scrybe_keys_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -f -a "context" -d 'Show where a command would act: every setting and where it came from'
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -f -a "init" -d 'Bind this database to its environment and install the tool\'s own schema'
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -f -a "create-cmk" -d 'Provision the master key, its policy and aliases, and the trail, log bucket and alarms around it'
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -f -a "rotate" -d 'Give organizations a new DEK version and move their cells to it'
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -f -a "rotate-cmk" -d 'Give the master key new material now (KMS on-demand rotation)'
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -f -a "re-encrypt" -d 'Move cells to the active DEK version, wherever a flip left them behind'
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -f -a "jobs" -d 'See, follow, slow down and stop jobs that move cells'
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -f -a "keys" -d 'Show DEK versions, per organization'
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -f -a "census" -d 'Count which key versions really protect how many cells, by opening them'
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -f -a "rewrap" -d 'Wrap DEKs anew, under another master key or the newest material of the same one'
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -f -a "audit" -d 'Read the audit chain, or prove that it is whole'
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -f -a "health" -d 'Check master key, DEKs, jobs and records, and say what to do next'
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -f -a "sandbox" -d 'Run a throwaway PostgreSQL and AWS endpoint with a clinic\'s data'
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -f -a "completions" -d 'Print a completion script for a shell'
complete -c scrybe-keys -n "__fish_scrybe_keys_needs_command" -f -a "man" -d 'Print the manual page'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand context" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand context" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand context" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand context" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand context" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand context" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand context" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand context" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand context" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand context" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand context" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand context" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand context" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand context" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand context" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand context" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand context" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand init" -l confirm -d 'Agree to exactly the plan with this digest, as --dry-run --json returned it' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand init" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand init" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand init" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand init" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand init" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand init" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand init" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand init" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand init" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand init" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand init" -l check -d 'Change nothing; print what is missing, privileges as the GRANTs to run'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand init" -l sandbox -d 'Mark the database as a sandbox: every plan says so'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand init" -l yes -d 'Agree to the plan without being asked'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand init" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand init" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand init" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand init" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand init" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand init" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -l allow -d 'Agree to overwriting a policy, moving an alias, taking over a key (comma-separated)' -r -f -a "policy\t'Replace a policy (of a key, bucket or topic) or lifecycle rules that say something else'
alias\t'Point an alias that names another key at this one'
adopt\t'Take over a key that this tool did not make'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -l replica-region -d 'Copy the key into this region too; repeat for more' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -l env-file -d 'Write the application\'s settings (AWS_KMS_KEY_ID and so on) into this file; one that holds anything else is refused' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -l confirm -d 'Agree to exactly the plan with this digest, as --dry-run --json returned it' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -l dry-run -l plan -d 'Show what would be made and change nothing; exit code 3 when something differs'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -l multi-region -d 'Make the key a multi-Region key; this is fixed when a key is made'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -l yes -d 'Agree to the plan without being asked'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -f -a "policy" -d 'Show or judge a key policy'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and not __fish_seen_subcommand_from policy iam" -f -a "iam" -d 'Print the IAM roles around the key'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from policy" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from policy" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from policy" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from policy" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from policy" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from policy" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from policy" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from policy" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from policy" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from policy" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from policy" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from policy" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from policy" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from policy" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from policy" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from policy" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from policy" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from policy" -f -a "show" -d 'Print the key policy that create-cmk would send in this environment'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from policy" -f -a "lint" -d 'Look for traps in a key policy: a file, or - for stdin; needs no AWS, no database and no settings'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from iam" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from iam" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from iam" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from iam" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from iam" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from iam" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from iam" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from iam" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from iam" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from iam" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from iam" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from iam" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from iam" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from iam" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from iam" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from iam" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from iam" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand create-cmk; and __fish_seen_subcommand_from iam" -f -a "show" -d 'Print a role\'s trust and permission policy, or list the roles; makes no call'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l org -d 'Rotate this organization; repeat for more' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l max-orgs -d 'How many organizations --due may start' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l reason -d 'Why; kept in the audit chain' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l max-outage -d 'Refuse an organization whose cells would be dark for longer' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l cutover -d 'How cells get to the new version' -r -f -a "online\t'Flip, then move: cells are dark one after the other until they are moved'
atomic\t'Move and flip in one transaction, for organizations small enough; the others online'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l max-cutover -d 'Longest one-transaction cutover, by the estimate; larger organizations go online' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l after-commit -d 'Command that drops the application\'s cached keys or restarts it: run after each organization\'s commit. In production it comes from the configuration file' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l settle -d 'How long an application may go on using a cached key; 0s says that none does [default: the data map\'s, 5m]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l join -d 'Help a job that another process runs, here or on another machine: its id, or latest' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l join-wait -d 'How long --join waits for a job to begin' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l once -d 'Do this once: a job that was begun under this name is gone on with, or, when it is done, only reported' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l workers -d 'Worker threads of this process [default: the policy\'s, 2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l max-rate -d 'Rows per second at most, over all processes' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l max-replica-lag -d 'Slow down while a replica lags behind by more' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l max-active-sessions -d 'Slow down while more sessions run a statement' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l throttle-query -d 'Slow down while this query\'s first column is true or above zero' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l throttle-file -d 'Slow down while this file exists' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l hours -d 'Begin organizations only within these hours, e.g. 22:00-05:00' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l max-time -d 'Begin no organization after so long; what is begun is finished (exit 7)' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l until -d 'Begin no organization after this time of day, e.g. 05:00' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l pause-between -d 'Pause between organizations, for vacuum to keep up' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l max-dark -d 'Warn when an organization\'s cells are dark for longer' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l confirm -d 'Agree to exactly the plan with this digest, as --dry-run --json returned it' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l all -d 'Rotate every organization that has a DEK'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l due -d 'Rotate organizations whose DEK is older than the policy allows, oldest first'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l revert -d 'Go back: make the previous version active again and return the cells'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l dek-only -d 'Flip only and leave every cell dark until re-encrypt moves it'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l include-plaintext -d 'Also seal values that were never sealed'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l unwrap-nested -d 'Peel envelopes whose whole content is another envelope'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l allow-triggers -d 'Move cells although UPDATE triggers will fire'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l dry-run -d 'Show the plan and stop'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l yes -d 'Agree to the plan without being asked'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate-cmk" -l reason -d 'Why; kept in the audit chain' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate-cmk" -l wait -d 'How long to wait until the new material is in use' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate-cmk" -l confirm -d 'Agree to exactly the plan with this digest, as --dry-run --json returned it' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate-cmk" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate-cmk" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate-cmk" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate-cmk" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate-cmk" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate-cmk" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate-cmk" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate-cmk" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate-cmk" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate-cmk" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate-cmk" -l no-record -d 'Rotate although no database is named to record it in'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate-cmk" -l dry-run -d 'Show the plan and stop'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate-cmk" -l yes -d 'Agree to the plan without being asked'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate-cmk" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate-cmk" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate-cmk" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate-cmk" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate-cmk" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate-cmk" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rotate-cmk" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l org -d 'Move this organization\'s cells; repeat for more' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l model -d 'Only this table of the data map; repeat for more' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l from-version -d 'Only cells under this version' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l to-version -d 'Must be the active version: any other is refused' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l reason -d 'Why; kept in the audit chain' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l settle -d 'How long an application may go on using a cached key; 0s says that none does [default: the data map\'s, 5m]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l join -d 'Help a job that another process runs, here or on another machine: its id, or latest' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l join-wait -d 'How long --join waits for a job to begin' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l once -d 'Do this once: a job that was begun under this name is gone on with, or, when it is done, only reported' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l workers -d 'Worker threads of this process [default: the policy\'s, 2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l max-rate -d 'Rows per second at most, over all processes' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l max-replica-lag -d 'Slow down while a replica lags behind by more' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l max-active-sessions -d 'Slow down while more sessions run a statement' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l throttle-query -d 'Slow down while this query\'s first column is true or above zero' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l throttle-file -d 'Slow down while this file exists' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l hours -d 'Begin organizations only within these hours, e.g. 22:00-05:00' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l max-time -d 'Begin no organization after so long; what is begun is finished (exit 7)' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l until -d 'Begin no organization after this time of day, e.g. 05:00' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l pause-between -d 'Pause between organizations, for vacuum to keep up' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l max-dark -d 'Warn when an organization\'s cells are dark for longer' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l confirm -d 'Agree to exactly the plan with this digest, as --dry-run --json returned it' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l all -d 'Move every organization\'s cells'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l include-plaintext -d 'Also seal values that were never sealed'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l unwrap-nested -d 'Peel envelopes whose whole content is another envelope'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l allow-triggers -d 'Move cells although UPDATE triggers will fire'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l dry-run -d 'Show the plan and stop'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l yes -d 'Agree to the plan without being asked'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand re-encrypt" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -f -a "list" -d 'List jobs, newest first'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -f -a "status" -d 'Show one job by organization'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -f -a "attach" -d 'Follow a job until it ends'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -f -a "pause" -d 'Hold a job before its next organization; one whose cells are dark is finished first'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -f -a "unpause" -d 'Let a held job go on'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -f -a "tune" -d 'Change the speed of a running job'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -f -a "cancel" -d 'Stop a job after its batch and give it up; what was moved stays moved'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -f -a "failures" -d 'List the cells a job could not move: table, column, row id, reason'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and not __fish_seen_subcommand_from list status attach pause unpause tune cancel failures retry-failed" -f -a "retry-failed" -d 'Try those cells again'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from list" -l limit -d 'How many at most' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from list" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from list" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from list" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from list" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from list" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from list" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from list" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from list" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from list" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from list" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from list" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from list" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from list" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from status" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from status" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from status" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from status" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from status" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from status" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from status" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from status" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from status" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from status" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from status" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from status" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from status" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from status" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from status" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from status" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from attach" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from attach" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from attach" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from attach" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from attach" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from attach" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from attach" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from attach" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from attach" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from attach" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from attach" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from attach" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from attach" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from attach" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from attach" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from attach" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from attach" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from pause" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from pause" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from pause" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from pause" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from pause" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from pause" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from pause" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from pause" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from pause" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from pause" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from pause" -l while-dark -d 'Hold at once, although cells stay dark until unpause'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from pause" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from pause" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from pause" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from pause" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from pause" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from pause" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from pause" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from unpause" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from unpause" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from unpause" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from unpause" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from unpause" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from unpause" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from unpause" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from unpause" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from unpause" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from unpause" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from unpause" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from unpause" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from unpause" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from unpause" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from unpause" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from unpause" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from unpause" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from tune" -l workers -d 'Worker threads of each process' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from tune" -l max-rate -d 'Rows per second at most, over all processes; 0 lifts the limit' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from tune" -l batch-rows -d 'Rows of a batch at most' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from tune" -l batch-time -d 'How long a batch should take at most, e.g. 100ms' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from tune" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from tune" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from tune" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from tune" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from tune" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from tune" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from tune" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from tune" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from tune" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from tune" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from tune" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from tune" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from tune" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from tune" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from tune" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from tune" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from tune" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l confirm -d 'Agree to exactly the plan with this digest, as --dry-run --json returned it' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l yes -d 'Agree to the plan without being asked'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from cancel" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from failures" -l limit -d 'How many at most' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from failures" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from failures" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from failures" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from failures" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from failures" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from failures" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from failures" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from failures" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from failures" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from failures" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from failures" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from failures" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from failures" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from failures" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from failures" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from failures" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from failures" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from retry-failed" -l confirm -d 'Agree to exactly the plan with this digest, as --dry-run --json returned it' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from retry-failed" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from retry-failed" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from retry-failed" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from retry-failed" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from retry-failed" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from retry-failed" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from retry-failed" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from retry-failed" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from retry-failed" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from retry-failed" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from retry-failed" -l yes -d 'Agree to the plan without being asked'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from retry-failed" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from retry-failed" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from retry-failed" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from retry-failed" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from retry-failed" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from retry-failed" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand jobs; and __fish_seen_subcommand_from retry-failed" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and not __fish_seen_subcommand_from list show" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and not __fish_seen_subcommand_from list show" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and not __fish_seen_subcommand_from list show" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and not __fish_seen_subcommand_from list show" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and not __fish_seen_subcommand_from list show" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and not __fish_seen_subcommand_from list show" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and not __fish_seen_subcommand_from list show" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and not __fish_seen_subcommand_from list show" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and not __fish_seen_subcommand_from list show" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and not __fish_seen_subcommand_from list show" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and not __fish_seen_subcommand_from list show" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and not __fish_seen_subcommand_from list show" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and not __fish_seen_subcommand_from list show" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and not __fish_seen_subcommand_from list show" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and not __fish_seen_subcommand_from list show" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and not __fish_seen_subcommand_from list show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and not __fish_seen_subcommand_from list show" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and not __fish_seen_subcommand_from list show" -f -a "list" -d 'One line for every DEK version, newest first'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and not __fish_seen_subcommand_from list show" -f -a "show" -d 'Everything known of one organization\'s DEKs'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from list" -l org -d 'Only this organization' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from list" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from list" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from list" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from list" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from list" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from list" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from list" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from list" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from list" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from list" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from list" -l deep -d 'Unwrap each DEK: one kms:Decrypt call per version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from list" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from list" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from list" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from list" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from list" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from list" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from list" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from show" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from show" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from show" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from show" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from show" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from show" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from show" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from show" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from show" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from show" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from show" -l deep -d 'Unwrap each DEK: one kms:Decrypt call per version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from show" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from show" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from show" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from show" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from show" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand keys; and __fish_seen_subcommand_from show" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand census" -l org -d 'Only this organization; repeat for more' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand census" -l model -d 'Only this table of the data map; repeat for more' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand census" -l by -d 'Sum up by organization or by table and column' -r -f -a "org\t''
table\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand census" -l sample -d 'Read only about this share of each table\'s blocks, e.g. 1%' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand census" -l max-rate -d 'Read at most so many cells per second' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand census" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand census" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand census" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand census" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand census" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand census" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand census" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand census" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand census" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand census" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand census" -l list-unopenable -d 'Name every cell that does not open (up to 1,000): table, column and row id'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand census" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand census" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand census" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand census" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand census" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand census" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand census" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -l to -d 'The key that wraps from now on: id, ARN or alias [default: the configured key, its newest material]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -l org -d 'Only DEKs of this organization; repeat for more' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -l reason -d 'Why; kept in the audit chain and beside the old wrapping' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -l max-rate -d 'KMS calls a second; three or so for each DEK' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -l application-can-use -d 'Say that the application\'s role may Decrypt under the target: its ARN, in full' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -l confirm -d 'Agree to exactly the plan with this digest, as --dry-run --json returned it' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -l all -d 'DEKs of every organization'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -l old-material -d 'Only DEKs that are not on the newest material of the key they are under'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -l bind -d 'Bind the database to the target once every DEK is under it'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -l dry-run -d 'Show the plan and stop'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -l yes -d 'Agree to the plan without being asked'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand rewrap" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and not __fish_seen_subcommand_from log verify" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and not __fish_seen_subcommand_from log verify" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and not __fish_seen_subcommand_from log verify" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and not __fish_seen_subcommand_from log verify" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and not __fish_seen_subcommand_from log verify" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and not __fish_seen_subcommand_from log verify" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and not __fish_seen_subcommand_from log verify" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and not __fish_seen_subcommand_from log verify" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and not __fish_seen_subcommand_from log verify" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and not __fish_seen_subcommand_from log verify" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and not __fish_seen_subcommand_from log verify" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and not __fish_seen_subcommand_from log verify" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and not __fish_seen_subcommand_from log verify" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and not __fish_seen_subcommand_from log verify" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and not __fish_seen_subcommand_from log verify" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and not __fish_seen_subcommand_from log verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and not __fish_seen_subcommand_from log verify" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and not __fish_seen_subcommand_from log verify" -f -a "log" -d 'Show records, newest first'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and not __fish_seen_subcommand_from log verify" -f -a "verify" -d 'Recompute every hash and compare with the head'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from log" -l limit -d 'At most so many' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from log" -l org -d 'Only records about this organization' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from log" -l event -d 'Only this event, e.g. KEY_ROTATION_COMPLETED' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from log" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from log" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from log" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from log" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from log" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from log" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from log" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from log" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from log" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from log" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from log" -l oldest-first -d 'From the first record on'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from log" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from log" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from log" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from log" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from log" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from log" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from log" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from verify" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from verify" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from verify" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from verify" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from verify" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from verify" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from verify" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from verify" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from verify" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from verify" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from verify" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from verify" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from verify" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from verify" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from verify" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand audit; and __fish_seen_subcommand_from verify" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand health" -l fail-on -d 'Severity from which on the exit code is 3' -r -f -a "warning\t''
critical\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand health" -l format -d 'For whom the answer is written' -r -f -a "table\t'For a person'
json\t'As --json'
nagios\t'One line with a status word and perfdata; exit codes 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN'
prometheus\t'Prometheus text exposition'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand health" -l textfile -d 'Also write the Prometheus form to this file, for node_exporter\'s textfile collector; its name ends in .prom' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand health" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand health" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand health" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand health" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand health" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand health" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand health" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand health" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand health" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand health" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand health" -l deep -d 'Also use the keys: make a data key, encrypt and decrypt, unwrap every active DEK'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand health" -l record -d 'Record the result in the audit chain'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand health" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand health" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand health" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand health" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand health" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand health" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand health" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -f -a "up" -d 'Make the sandbox, or start again what does not run'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -f -a "seed" -d 'Fill it with several clinics\' invented data, sealed as the application seals'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -f -a "status" -d 'Show what runs and what is in it'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -f -a "down" -d 'Stop everything and remove all of it'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -f -a "exec" -d 'Run a command inside; nothing runs when the sandbox does not'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -f -a "shell" -d 'Open a shell inside'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -f -a "env" -d 'Print the environment for eval; `exec` is safer, since an eval of nothing changes nothing'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and not __fish_seen_subcommand_from up seed status down exec shell env serve-kms" -f -a "serve-kms"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from up" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from up" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from up" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from up" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from up" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from up" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from up" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from up" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from up" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from up" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from up" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from up" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from up" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from up" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from up" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from up" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from up" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -l orgs -d 'Organizations; the first owns half of everything' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -l notes -d 'Notes, 0.4 to 2 KB each' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -l calls -d 'Calls with transcripts of 5 to 40 KB [default: a note in 40]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -l messages -d 'Messages [default: a note in 4]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -l forms -d 'Submitted forms [default: a note in 10]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -l clients -d 'Clients [default: a note in 20]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -l seed -d 'Same number, same data' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -l without-client-tier2 -d 'Leave out "Client".ssn and "healthConditions", as some deployments do'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -l replace -d 'Start over when it has data'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -l inside
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from seed" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from status" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from status" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from status" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from status" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from status" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from status" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from status" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from status" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from status" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from status" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from status" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from status" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from status" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from status" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from status" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from status" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from down" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from down" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from down" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from down" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from down" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from down" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from down" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from down" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from down" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from down" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from down" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from down" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from down" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from down" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from down" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from down" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from down" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from exec" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from exec" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from exec" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from exec" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from exec" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from exec" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from exec" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from exec" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from exec" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from exec" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from exec" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from exec" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from exec" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from exec" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from exec" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from exec" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from exec" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from shell" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from shell" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from shell" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from shell" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from shell" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from shell" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from shell" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from shell" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from shell" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from shell" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from shell" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from shell" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from shell" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from shell" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from shell" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from shell" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from shell" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from env" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from env" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from env" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from env" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from env" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from env" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from env" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from env" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from env" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from env" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from env" -l unset -d 'Print how to leave it again'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from env" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from env" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from env" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from env" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from env" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from env" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from env" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from serve-kms" -l port -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from serve-kms" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from serve-kms" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from serve-kms" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from serve-kms" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from serve-kms" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from serve-kms" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from serve-kms" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from serve-kms" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from serve-kms" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from serve-kms" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from serve-kms" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from serve-kms" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from serve-kms" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from serve-kms" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from serve-kms" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from serve-kms" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand sandbox; and __fish_seen_subcommand_from serve-kms" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand completions" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand completions" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand completions" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand completions" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand completions" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand completions" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand completions" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand completions" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand completions" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand completions" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand completions" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand completions" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand completions" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand completions" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand completions" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand completions" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand completions" -s V -l version -d 'Print version'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand man" -l config -d 'Configuration file [variable: SCRYBE_KEYS_CONFIG; else ~/.config/scrybe-keys/config.yaml, /etc/scrybe-keys/config.yaml]' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand man" -l environment -d 'Which world this is [variables: SCRYBE_ENV, NODE_ENV]' -r -f -a "development\t''
staging\t''
production\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand man" -l database-url -d 'Database address; a password in it can be seen by everybody on this machine [variables: DATABASE_URL, PG*]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand man" -l database-url-file -d 'File that holds the database address' -r -F
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand man" -l kms -d 'Who wraps DEKs [variable: SCRYBE_KMS; default: aws]' -r -f -a "aws\t'AWS KMS'
local\t'The embedded KMS, in process: sandbox and drills'
dev\t'`dev:` DEKs, as the application makes them without KMS; never in production'"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand man" -l region -d 'AWS region of the CMK [variables: AWS_KMS_REGION, AWS_REGION; default: us-west-2]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand man" -l key -d 'CMK: key id, ARN or alias [variables: AWS_KMS_KEY_ID, AWS_KMS_KEY_ALIAS; default: the environment\'s alias]' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand man" -l timeout -d 'Stop in good order after this long, e.g. 90s, 30m' -r
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand man" -l progress -d 'How progress is shown' -r -f -a "auto\t'Bars on a terminal, nothing off it'
plain\t'A line every few seconds'
json\t'One JSON object a line'
none\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand man" -l color -d 'When output is coloured [variable: NO_COLOR]' -r -f -a "auto\t'On a terminal, unless NO_COLOR is set'
always\t''
never\t''"
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand man" -l json -d 'Answer with one JSON object on stdout; never ask'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand man" -s q -l quiet -d 'Say nothing when all is well: no narration, and no report of init, create-cmk, rotate, rotate-cmk, rewrap, re-encrypt and health that ended with 0'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand man" -s v -l verbose -d 'Log to stderr: -v what is done, -vv also the SDK\'s own log (never bodies)'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand man" -l no-input -d 'Never ask; what needs an answer is refused instead'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand man" -l print-iam -d 'Print the IAM policy with exactly the actions this verb needs, and do nothing else; works without its other arguments'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand man" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c scrybe-keys -n "__fish_scrybe_keys_using_subcommand man" -s V -l version -d 'Print version'
