# What the test files share. `check` runs a command and compares; `finish` gives the verdict.

checks=0
failures=0

fault() {
    failures=$((failures + 1))
    printf 'FAILED: %s\n' "$@"
}

# check DESCRIPTION STATUS TEXT COMMAND...   TEXT is a pattern of the shell for standard output and error together
check() {
    local description=$1 status=$2 text=$3 output got
    shift 3
    output=$("$@" 2>&1 < /dev/null)
    got=$?
    checks=$((checks + 1))
    output=${output//$'\r'/}
    [ "$got" -eq "$status" ] || fault "$description: status $got instead of $status; said: $output"
    # shellcheck disable=SC2053
    [[ $output == $text ]] || fault "$description: said '$output' instead of '$text'"
}

# verify DESCRIPTION COMMAND...   the command must succeed
verify() {
    local description=$1
    shift
    checks=$((checks + 1))
    "$@" || fault "$description"
}

# refute DESCRIPTION COMMAND...   the command must fail
refute() {
    local description=$1
    shift
    checks=$((checks + 1))
    ! "$@" || fault "$description"
}

# same DESCRIPTION EXPECTED GOT
same() {
    checks=$((checks + 1))
    [ "$2" = "$3" ] || fault "$1: '$3' instead of '$2'"
}

finish() {
    echo "$checks checks, $failures failed"
    [ "$failures" -eq 0 ] && [ "$checks" -gt 0 ]
}

# built NAME: the program as it was built last
built() {
    ls -t "$SRC/target/release/$1" "$SRC/target/debug/$1" 2> /dev/null | head -1
}

# until_so SECONDS COMMAND...   waits for a condition
until_so() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$end" ] || return 1
        sleep 0.1
    done
}
