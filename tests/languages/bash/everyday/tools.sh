set -euo pipefail
declare -A count
while read -r word; do count[$word]=$((${count[$word]:-0} + 1)); done < <(printf 'b\na\nb\n')
echo "${count[b]} ${count[a]} ${#count[@]}"
seq 1 100 | awk '{ s += $1 } END { print s }'
echo 'größe 1' | sed -E 's/[0-9]+/#/' | tr a-z A-Z
mkdir -p dir && (cd dir && touch x y) && find dir -type f | sort | xargs -n1 basename | paste -sd,
sleep 0.01 & wait $! && echo waited
cat <<< "here $(date -u -d @0 +%Y)"
trap 'echo trapped' EXIT
[[ abc =~ ^a(.)c$ ]] && echo "${BASH_REMATCH[1]}"
exec 3<> /dev/tcp/127.0.0.1/9 2> /dev/null || echo "no such server"
# Output:
# 2 1 2
# 5050
# GRößE #
# x,y
# waited
# here 1970
# b
# no such server
# trapped
