#!/bin/bash
# Shows one container from every side: from within, from the host, in the database, through plain HTTP. Uses a
# private daemon in temporary directories and leaves nothing behind.
set -euo pipefail
cd "$(dirname "$0")/.."

bin=${BERTH_BIN_DIR:-$PWD/target/release}
[ "$(id -u)" = 0 ] || { echo "containers need root: run as root" >&2; exit 1; }
for program in berthd berth-shim berth; do
    [ -x "$bin/$program" ] || { echo "$bin/$program is missing: run \`make build\`" >&2; exit 1; }
done

if [ -t 1 ]; then bold=$'\e[1m' dim=$'\e[2m' blue=$'\e[1;34m' plain=$'\e[0m'; else bold='' dim='' blue='' plain=''; fi
title() { printf '\n%s── %s %s\n' "$blue" "$*" "$plain"; }
note() { printf '%s   %s%s\n' "$dim" "$*" "$plain"; }
say() { # A command line as it would be typed.
    local word line=
    for word in "$@"; do
        [[ $word =~ ^[A-Za-z0-9_./:=@%+,?-]+$ ]] || word="'$word'"
        line+=" $word"
    done
    printf '%s$%s%s\n' "$bold" "$line" "$plain"
}
show() { say "$@"; "$@"; }

root=$(mktemp -d /var/tmp/berth-demo.XXXXXX)
run=$(mktemp -d /run/berth-demo.XXXXXX)
socket=$run/berth.sock
export BERTH_HOST=unix://$socket
daemon=
PATH=$bin:$PATH

api() { # METHOD PATH [BODY]
    local body=()
    [ $# -lt 3 ] || body=(-H 'Content-Type: application/json' -d "$3")
    curl --silent --show-error --unix-socket "$socket" -X "$1" "${body[@]}" "http://berth$2"
}

cleanup() {
    local status=$?
    trap - EXIT INT TERM
    if [ -n "$daemon" ] && kill -0 "$daemon" 2>/dev/null; then
        berth ps -aq 2>/dev/null | while read -r id; do berth rm -f "$id" >/dev/null 2>&1 || true; done
        kill "$daemon"
        wait "$daemon" || true
    fi
    if [ "$status" != 0 ]; then
        printf '\nthe demo failed; the end of the log of berthd:\n' >&2
        tail -n 30 "$root/berthd.log" >&2 || true
    fi
    rm -rf --one-file-system "$root" "$run"
    exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

title "A private daemon"
started=$(date +%s%N)
berthd --data-root "$root/data" --exec-root "$run/x" -H "unix://$socket" >"$root/berthd.log" 2>&1 &
daemon=$!
for _ in $(seq 200); do
    [ "$(api GET /_ping 2>/dev/null || true)" = OK ] && break
    kill -0 "$daemon" 2>/dev/null || { echo "berthd ended" >&2; exit 1; }
    sleep 0.02
done
note "berthd (PID $daemon) answered after $((($(date +%s%N) - started) / 1000000)) ms; data in $root/data"
show berth version
title "The default image, made from this machine's busybox-static"
show berth image bootstrap
show berth images

title "From within: a container's view of itself"
show berth run --rm --hostname harbour busybox sh -c 'echo "host name: $(hostname)"; echo "identity:  $(id)"; ps'

title "From the host: the same kind of process, seen from outside"
run_boat=(berth run -d --name boat --hostname boat busybox sleep 600)
say "${run_boat[@]}"
id=$("${run_boat[@]}")
echo "$id"
pid=$(berth inspect --format '{{.State.Pid}}' boat)
show berth ps
note "PID 1 inside is PID $pid outside, a child of its shim, and its root is not root:"
shim=$(ps -o ppid= -p "$pid" | tr -d ' ')
show ps -o pid,ppid,uid,rss,args -p "$pid,$shim" | cut -c1-110
printf '\n   %-8s %-22s %-22s\n' namespace "the host's" "the container's"
for kind in mnt pid uts ipc net cgroup user; do
    ours=$(readlink "/proc/self/ns/$kind") theirs=$(readlink "/proc/$pid/ns/$kind")
    mark=differs; [ "$ours" = "$theirs" ] && mark='the same!'
    printf '   %-8s %-22s %-22s %s\n' "$kind" "$ours" "$theirs" "$mark"
done
note "its map of user IDs (inside, outside, how many):"
sed 's/^/   /' "/proc/$pid/uid_map"
show nsenter --target "$pid" --mount --uts --ipc --net --pid -- ps

title "In the database: its row"
show sqlite3 -readonly -box "$root/data/berth.db" \
    "SELECT substr(id, 1, 12) AS id, name, image_ref, status, pid, shim_pid, datetime(started_ns / 1000000000, 'unixepoch') AS started FROM containers"

title "Through plain HTTP: the same with curl"
body='{"Image":"busybox","Cmd":["sh","-c","echo posted; exit 7"]}'
curl=(curl --unix-socket "$socket")
say "${curl[@]}" -H 'Content-Type: application/json' -d "$body" http://berth/v1.51/containers/create?name=posted
created=$(api POST '/v1.51/containers/create?name=posted' "$body"); echo "$created"
say "${curl[@]}" -X POST http://berth/v1.51/containers/posted/start
api POST /v1.51/containers/posted/start
say "${curl[@]}" -X POST http://berth/v1.51/containers/posted/wait
waited=$(api POST /v1.51/containers/posted/wait); echo "$waited"
[[ $waited == *'"StatusCode":7'* ]] || { echo "the exit code was expected to be 7" >&2; exit 1; }
say "${curl[@]}" http://berth/v1.51/containers/posted/logs?stdout=1
api GET '/v1.51/containers/posted/logs?stdout=1' | tail -c +9
say "${curl[@]}" http://berth/v1.51/containers/json?all=1
api GET '/v1.51/containers/json?all=1' | sed 's/},{/},\n {/g' | cut -c1-150

title "Clean-up: nothing stays"
show berth rm -f boat posted
parent=berth-$(sqlite3 -readonly "$root/data/berth.db" "SELECT value FROM meta WHERE key = 'short-id'")
kill "$daemon"
wait "$daemon"
daemon=
left=0
check() { # WHAT COUNT
    printf '   %-28s %s\n' "$1" "$2"
    left=$((left + $2))
}
check "mounts left" "$(grep -c -e "$id" -e "$root" -e "$run" /proc/self/mountinfo || true)"
# The brackets keep the search from finding itself.
check "processes left" "$(grep -lsa -e "[${id:0:1}]${id:1}" /proc/[0-9]*/cmdline | wc -l)"
check "cgroups left" "$(find /sys/fs/cgroup -maxdepth 3 -type d \( -name "$id" -o -name "$parent" \) 2>/dev/null | wc -l)"
check "container directories left" "$(find "$root/data" "$run" -mindepth 1 -name "$id*" 2>/dev/null | wc -l)"
check "database rows left" "$(sqlite3 -readonly "$root/data/berth.db" 'SELECT count(*) FROM containers')"
[ "$left" = 0 ] || { echo "something was left behind" >&2; exit 1; }
printf '\n%sEverything worked, and nothing is left.%s\n' "$bold" "$plain"
