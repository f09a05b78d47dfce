. sub/helper.sh
mode=$1
shift
case $mode in
ordinary)
    echo hello
    (IFS='|'; echo "$*")
    cat data/in.txt
    greeting
    cat
    exit 3
    ;;
raise)
    echo "${boom:?boom é}"
    ;;
sleep)
    echo before
    sleep 60
    ;;
memory)
    kept=x
    while true; do kept=$kept$kept; done
    ;;
flood)
    while true; do echo floodfloodfloodfloodfloodfloodfloodfloodfloodflood; done
    ;;
esac
