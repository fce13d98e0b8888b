#!/usr/bin/env bash
# Measures thingd, and mosquitto beside it in the same rounds, and prints each
# figure with its unit as minimum, median and maximum over the rounds.
#
#   tools/bench/run.sh [ROUNDS [SECONDS]]     default: 5 rounds of 3 s a run
#
# Alone: the time from start to ready on an empty folder, the memory of a server
# without devices, the size of the binary. Side by side, over mutual TLS 1.3
# with P-256 certificates and one policy: connects, and messages delivered, per
# CPU-second of the server. Those hardly depend on what else the machine does;
# ratios above 1 are in thingd's favor. Also memory per idle connection, latency
# at a fixed rate, and messages queued for a session that is away, which depend on
# it a lot: keep the machine quiet, or set BENCH_NICE to a command that puts
# servers and load before everything else, such as BENCH_NICE="chrt -r 1" for
# root. BENCH_SCENARIOS names some of the scenarios. Run `make setup` first (`make
# bench` does).
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-5}
seconds=${2:-3}
idle=5000 # connections
scenarios=${BENCH_SCENARIOS:-"idle connect fanin0 fanin1 fanout0 fanout1 pairs0 pairs1 devices1 latency1 durable"}
first=${BENCH_NICE:-}

work=$(mktemp -d)
servers=()
finish() {
	for pid in "${servers[@]}"; do kill "$pid" 2>/dev/null || true; done
	wait
	rm -rf "$work"
}
trap finish EXIT

fail() {
	echo "bench: $*" >&2
	exit 1
}

# --- figures: one file of numbers each, a number per round

record() { echo "$2" >>"$work/figure.$1"; }

heading() { printf '%-10s %-56s %12s %12s %12s\n' "$1" figure minimum median maximum; }

# show WHO TEXT NAME: minimum, median and maximum of a figure, four digits or more
show() {
	sort -g "$work/figure.$3" | awk -v who="$1" -v text="$2" '
		function short(x) { return sprintf(x < 1000 ? "%.4g" : "%.0f", x) }
		{ v[NR] = $1 }
		END {
			median = (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2
			printf "%-10s %-56s %12s %12s %12s\n", who, text, short(v[1]), short(median), short(v[NR])
		}'
}

# --- servers

free_port() {
	local port
	while :; do
		port=$((20000 + RANDOM % 10000))
		(exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null || { echo $port; return; }
	done
}

milliseconds() { echo $((${EPOCHREALTIME/./} / 1000)); }

# start_thingd FOLDER: sets pid, port and took, the milliseconds to ready.
start_thingd() {
	local began
	port=$(free_port)
	rm -f "$1.log"
	mkfifo "$1.log"
	began=$(milliseconds)
	$first "$work/thingd" serve --data "$1" --host localhost --profile mqtt \
		--listen "127.0.0.1:$port" --http "127.0.0.1:$(free_port)" >/dev/null 2>"$1.log" &
	pid=$!
	servers+=("$pid")
	took=
	exec 4<"$1.log"
	while read -r line <&4; do
		if [ "$line" = ready ]; then
			took=$(($(milliseconds) - began))
			break
		fi
	done
	[ -n "$took" ] || fail "thingd ended before it was ready"
	# Somebody has to read on, or the server would wait for room in its log.
	cat <&4 >/dev/null &
	servers+=("$!")
	exec 4<&-
}

stop() {
	kill "$1"
	wait "$1" 2>/dev/null || true
}

# start_mosquitto NODELAY: sets mosquitto_pid and mosquitto_port. Without
# TCP_NODELAY its throughput is up to twice as high, but answers wait up to 40 ms
# when nothing else is under way: each scenario gets the one that is better at it.
start_mosquitto() {
	local mosquitto folder
	mosquitto=$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v mosquitto) || fail "mosquitto is not installed; tools/setup/setup.sh bench does it"
	mosquitto_port=$(free_port)
	folder=$(mktemp -d "$work/mosquitto.XXXXXX")
	cat >"$folder/conf" <<-CONF
		user $(id -un)
		allow_anonymous true
		log_type error
		persistence true
		persistence_location $folder/
		max_queued_messages 0
		max_inflight_messages 0
		set_tcp_nodelay $1
		listener $mosquitto_port 127.0.0.1
		cafile $work/certs/ca.pem
		certfile $work/certs/server.pem
		keyfile $work/certs/server.key
		require_certificate true
	CONF
	$first "$mosquitto" -c "$folder/conf" 2>"$folder/log" &
	mosquitto_pid=$!
	servers+=("$mosquitto_pid")
	for _ in $(seq 100); do
		(exec 3<>"/dev/tcp/127.0.0.1/$mosquitto_port") 2>/dev/null && return
		sleep 0.05
	done
	fail "mosquitto did not start: $(cat "$folder/log")"
}

# register_device FOLDER: one certificate, known and allowed everything.
register_device() {
	local aws=.setup/venv/bin/aws arn
	[ -x "$aws" ] || fail "no AWS CLI in .setup; make setup"
	(
		eval "$("$work/thingd" env --data "$1")"
		arn=$("$aws" iot register-certificate-without-ca --status ACTIVE \
			--certificate-pem "file://$work/certs/client-00000.pem" --query certificateArn --output text)
		"$aws" iot create-policy --policy-name bench --policy-document \
			'{"Version":"2012-10-17","Statement":{"Effect":"Allow","Action":"iot:*","Resource":"*"}}' >/dev/null
		"$aws" iot attach-policy --policy-name bench --target "$arn"
	)
}

# --- load

# options SCENARIO: the load generator's command line
options() {
	local qos=${1: -1} time="-duration ${seconds}s"
	case $1 in
	idle) echo "idle -n $idle -settle 10s -duration 1s" ;;
	connect) echo "connect -insecure -tls-version 1.3 $time" ;;
	fanin?) echo "fanin -n 50 -qos $qos $time" ;;
	fanout?) echo "fanout -n 100 -qos $qos $time" ;;
	pairs?) echo "pairs -n 50 -qos $qos $time" ;;
	devices?) echo "fanin -n 500 -batch 1 -window 1 -e2e 0 -qos $qos $time" ;;
	latency?) echo "latency -n 20 -rate 2000 -qos $qos $time" ;;
	durable) echo "durable -count 20000" ;;
	*) fail "no scenario $1" ;;
	esac
}

# units SCENARIO: fields of the report, and what they say, one a line
units() {
	case $1 in
	idle) echo "server_rss_bytes_per_connection bytes of memory each (lower is better)" ;;
	connect) echo "connects_per_server_cpu_s connects per CPU-second" ;;
	latency?)
		echo "latency.p99_us p99 in microseconds (lower is better)"
		echo "out_per_server_cpu_s messages per CPU-second"
		;;
	durable)
		echo "queue_per_s messages queued per second"
		echo "queue_per_server_cpu_s messages queued per CPU-second"
		;;
	*) echo "out_per_server_cpu_s messages per CPU-second" ;;
	esac
}

# field KEY: a number of the report; KEY may be a.b
field() {
	local text
	text=$(cat "$work/report")
	case $1 in *.*) text=$(sed -n "s/.*\"${1%%.*}\":{\([^}]*\)}.*/\1/p" <<<"$text") ;; esac
	text=$(sed -n "s/.*\"${1##*.}\":\([-0-9.e+]*\).*/\1/p" <<<"$text")
	echo "${text:-0}"
}

# load WHO SCENARIO PORT PID CA: one run, each figure recorded as WHO.SCENARIO.KEY
load() {
	local key
	# shellcheck disable=SC2046,SC2086 # words
	$first "$work/mqttload" $(options "$2") -json -addr "localhost:$3" -pid "$4" -ca "$5" \
		-cert "$work/certs/client-00000.pem" -key "$work/certs/client-00000.key" >"$work/report" 2>"$work/report.err" ||
		echo "bench: $1 $2: $(head -c 300 "$work/report.err")" >&2
	while read -r key _; do
		record "$1.$2.$key" "$(field "$key")"
	done < <(units "$2")
}

measure_alone() {
	local round
	for round in $(seq "$rounds"); do
		start_thingd "$work/empty.$round"
		record ready "$took"
		sleep 10 # what the start has used is given back, or not, by now
		record memory "$(awk '/^VmRSS:/ {print $2 / 1024}' "/proc/$pid/status")"
		stop "$pid"
	done
	record size "$(awk -v b="$(stat -c %s "$work/thingd")" 'BEGIN {print b / 1048576}')"
	heading thingd
	show thingd "start to ready, empty folder (ms)" ready
	show thingd "resident memory, idle (MiB)" memory
	show thingd "binary (MiB)" size
}

measure_side_by_side() {
	local round scenario
	start_thingd "$work/data"
	start_mosquitto false
	local fast_pid=$mosquitto_pid fast_port=$mosquitto_port
	start_mosquitto true
	for round in $(seq "$rounds"); do
		for scenario in $scenarios; do
			[ "$scenario" != idle ] || continue
			load thingd "$scenario" "$port" "$pid" "$work/data/root-ca.pem"
			case $scenario in
			connect | devices? | latency? | durable) load mosquitto "$scenario" "$mosquitto_port" "$mosquitto_pid" "$work/certs/ca.pem" ;;
			*) load mosquitto "$scenario" "$fast_port" "$fast_pid" "$work/certs/ca.pem" ;;
			esac
		done
	done
	stop "$pid"
	stop "$fast_pid"
	stop "$mosquitto_pid"
}

# measure_idle starts its servers anew for each round: memory that earlier
# connections have used hides what new ones need.
measure_idle() {
	local round
	case " $scenarios " in *" idle "*) ;; *) return ;; esac
	for round in $(seq "$rounds"); do
		start_thingd "$work/data"
		start_mosquitto false
		sleep 10 # as for the server alone
		load thingd idle "$port" "$pid" "$work/data/root-ca.pem"
		load mosquitto idle "$mosquitto_port" "$mosquitto_pid" "$work/certs/ca.pem"
		stop "$pid"
		stop "$mosquitto_pid"
	done
}

show_side_by_side() {
	local scenario who key text
	for scenario in $scenarios; do
		while read -r key text; do
			for who in thingd mosquitto; do show "$who" "$scenario: $text" "$who.$scenario.$key"; done
			# Round by round, so that what disturbs a round disturbs both sides of it.
			paste "$work/figure.thingd.$scenario.$key" "$work/figure.mosquitto.$scenario.$key" |
				awk '{print ($2 > 0 ? $1 / $2 : 0)}' >"$work/figure.ratio.$scenario.$key"
			show ratio "$scenario: $text" "ratio.$scenario.$key"
		done < <(units "$scenario")
	done
}

# BENCH_THINGD names a binary to measure instead of this checkout's.
if [ -n "${BENCH_THINGD:-}" ]; then cp "$BENCH_THINGD" "$work/thingd"; else go build -o "$work/thingd" ./cmd/thingd; fi
go build -o "$work/mqttload" ./tools/mqttload
"$work/mqttload" certs -out "$work/certs" -n 1
measure_alone
start_thingd "$work/data"
register_device "$work/data"
stop "$pid"
measure_idle
measure_side_by_side
heading together
show_side_by_side
