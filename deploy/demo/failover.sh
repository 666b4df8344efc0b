#!/usr/bin/env bash
# Shows what it costs a client when the active balancer is stopped, killed,
# paused, or cut off:
#
#   deploy/demo/failover.sh docker [STEP…]      the site of deploy/docker/compose.yaml
#   deploy/demo/failover.sh vagrant [STEP…]     the Vagrantfile's machines
#
# The site must be up. Steps are stop, kill, pause and disconnect; without any,
# all of them. After each step everything is as it was. What each step leaves to
# read is written to logs/STEP: every container's (machine's) log, the members,
# the backends, a rendered template, and what runs; logs/client has every request
# (a line: begin, end, status; seconds). LOGS names another folder, COMPOSE
# another Compose than "docker compose", COMPOSE_PROJECT_NAME another project.
set -euo pipefail
cd "$(dirname "$0")/../.."
logs=${LOGS:-logs}

usage() { sed -n '2,15s/^# \{0,1\}//p' "$0" >&2 && exit 2; }
fail() { printf 'failover: %s\n' "$*" >&2 && exit 1; }
say() { printf '%s  %s\n' "$(date +%T)" "$*"; }

[[ $# -gt 0 ]] || usage
kind=$1
shift
steps=("$@")
[[ ${#steps[@]} -gt 0 ]] || steps=(stop kill pause disconnect)
for step in "${steps[@]}"; do
	[[ $step =~ ^(stop|kill|pause|disconnect)$ ]] || fail "there is no step '$step': stop, kill, pause, disconnect"
done

# One of these says how a site of its kind is reached and harmed.
docker_site() {
	read -ra compose <<< "${COMPOSE:-docker compose}"
	compose() { "${compose[@]}" -f deploy/docker/compose.yaml "$@"; }
	declare -gA id=()
	local b
	for b in lb1 lb2; do
		id[$b]=$(compose ps -q "$b")
		[[ -n ${id[$b]} ]] || fail "$b does not run: ${compose[*]} -f deploy/docker/compose.yaml up -d --scale web=3"
	done
	vip=172.30.42.42
	declare -gA address=([lb1]=172.30.42.11 [lb2]=172.30.42.12)
	network=$(docker inspect -f '{{range $name, $_ := .NetworkSettings.Networks}}{{$name}}{{end}}' "${id[lb1]}")

	on() { docker exec -i "${id[$1]}" "/usr/bin/$2" "${@:3}"; }
	from_client() { exec bash; }
	harm_stop() { docker stop "${id[$1]}"; }
	heal_stop() { docker start "${id[$1]}"; }
	harm_kill() { docker kill "${id[$1]}"; }
	heal_kill() { docker start "${id[$1]}"; }
	harm_pause() { docker pause "${id[$1]}" && sleep 3; }
	heal_pause() { docker unpause "${id[$1]}"; }
	harm_disconnect() { docker network disconnect "$network" "${id[$1]}"; }
	heal_disconnect() { docker network connect --ip "${address[$1]}" "$network" "${id[$1]}"; }
	collect_logs() {
		local container name
		docker ps > "$1/docker-ps"
		for container in $(compose ps -a -q); do
			name=$(docker inspect -f '{{.Name}}' "$container")
			docker logs "$container" > "$1/${name#/}.log" 2>&1
		done
	}
}

vagrant_site() {
	vip=192.168.42.42
	vagrant status > /dev/null || fail "there are no machines: vagrant up"
	on() { vagrant ssh "$1" --no-tty -c "sudo $(printf '%q ' "${@:2}")"; }
	from_client() { exec vagrant ssh client --no-tty -c bash; }
	harm_stop() { on "$1" systemctl stop tandem; }
	heal_stop() { on "$1" systemctl start tandem; }
	harm_kill() { on "$1" systemctl kill --kill-who=all -s KILL tandem; } # systemd starts it again
	heal_kill() { on "$1" systemctl start tandem; }
	harm_pause() { on "$1" systemctl kill --kill-who=all -s STOP tandem && sleep 3; }
	heal_pause() { on "$1" systemctl kill --kill-who=all -s CONT tandem; }
	on_wire() { on "$1" sh -c "ip link set \$(ip -o -4 addr show to 192.168.42.0/24 | awk '\$4 !~ /\\/32/ { print \$2; exit }') $2"; }
	harm_disconnect() { on_wire "$1" down; }
	heal_disconnect() { on_wire "$1" up; }
	collect_logs() {
		local name
		vagrant status > "$1/vagrant-status"
		for name in lb1 lb2 web1 web2 web3; do
			on "$name" journalctl --no-pager -o short-precise -u tandem -u tandem-agent > "$1/$name.log"
		done
	}
}

# state BALANCER prints what it is: active, backup, …; nothing if it does not answer.
state() { on "$1" tandem status < /dev/null 2> /dev/null | sed -n 's/^vip .*: \([a-z]*\).*/\1/p'; }

# until_is STATE BALANCER
until_is() {
	local now tries
	for ((tries = 0; tries < 120; tries++)); do
		now=$(state "$2") || true
		[[ $now != "$1" ]] || return 0
		sleep 0.5
	done
	fail "$2 has not become $1 within a minute: it is '${now:-silent}'"
}

# The client asks on a new connection each time, and waits for a second at most.
client() {
	from_client <<- END
		export LC_ALL=C
		while :; do
			began=\$EPOCHREALTIME
			status=\$(curl -s -o /dev/null -m 1 -w '%{http_code}' http://$vip/) || true
			echo "\$began \$EPOCHREALTIME \$status" || exit
			sleep 0.01
		done
	END
}

collect() {
	mkdir -p "$logs/$1"
	on "$2" tandem members < /dev/null > "$logs/$1/members"
	on "$2" tandem status < /dev/null > "$logs/$1/backends"
	on "$2" tandem template render /dev/stdin < deploy/examples/haproxy.cfg.tmpl > "$logs/$1/haproxy.cfg"
	collect_logs "$logs/$1"
}

# measure FIRST LAST: of these lines of the client's, the longest time from one
# good answer to the next in ms, how many requests failed, and how many there were.
measure() {
	awk -v first="$1" -v last="$2" '
		NR > last { exit }
		{ good = $3 ~ /^[23]/ }
		NR >= first { requests++; failed += !good }
		NR >= first && good && before && $2 - before > outage { outage = $2 - before }
		good { before = $2 }
		END { printf "%.0f %d %d\n", outage * 1000, failed, requests }' "$logs/client"
}

lines() { wc -l < "$logs/client"; }

declare -A what=(
	[stop]="the active is stopped, and hands over first"
	[kill]="the active is killed"
	[pause]="the active stands still for 3 s, and goes on"
	[disconnect]="the active is taken off the network"
)
case $kind in
docker) docker_site ;;
vagrant) vagrant_site ;;
*) usage ;;
esac

mkdir -p "$logs"
client > "$logs/client" &
client=$!
trap 'kill "$client" 2> /dev/null || true; wait "$client" 2> /dev/null || true' EXIT
while [[ $(lines) -lt 10 ]]; do
	kill -0 "$client" 2> /dev/null || fail "the client has ended"
	sleep 0.1
done

table=()
for step in "${steps[@]}"; do
	active=lb1 other=lb2
	[[ $(state lb1) == active ]] || active=lb2 other=lb1
	until_is active "$active"
	until_is backup "$other"
	sleep 6 # a balancer that has just come back bears the silence of the other for longer
	say "$step: ${what[$step]} ($active)"
	first=$(lines)
	"harm_$step" "$active" > /dev/null
	until_is active "$other"
	say "$other is active"
	collect "$step" "$other"
	"heal_$step" "$active" > /dev/null
	until_is backup "$active"
	say "$active is back, as backup"
	sleep 1
	read -r outage failed requests < <(measure "$first" "$(lines)")
	table+=("$(printf '%-12s %-14s %9d %8d of %-8d' "$step" "$active → $other" "$outage" "$failed" "$requests")")
done

printf '\n%-12s %-14s %9s %8s\n' step active "outage ms" "failed of requests"
printf '%s\n' "${table[@]}"
printf '\nAn outage is the longest time between two good answers; logs of each step: %s\n' "$logs"
