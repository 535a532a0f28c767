# bash completion for piranha

_piranha() {
    local word=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} options=
    if [ "$COMP_CWORD" -eq 1 ]; then
        mapfile -t COMPREPLY < <(compgen -W 'check show withdraw help --help --version' -- "$word")
        return
    fi
    case $command in
    check) options='--help' ;;
    show) options='--json --help' ;;
    withdraw) options='--force --help' ;;
    help) options='check show withdraw' ;;
    esac
    case $command:$word in
    *:-* | help:*) mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word") ;;
    *)
        compopt -o filenames 2> /dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        ;;
    esac
}
complete -F _piranha piranha
