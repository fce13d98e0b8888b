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
# ratios above 1 are in thingd's favor. Run `make setup` first (`make bench`
# does), and keep the machine otherwise quiet: the start-up times are wall-clock.
set -euo pipefail
cd "$(dirname "$0")/../.."
rounds=${1:-5}
seconds=${2:-3}
scenarios="connect fanin0 fanin1 fanout0 fanout1 pairs0 pairs1"

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

heading() { printf '%-10s %-40s %12s %12s %12s\n' "$1" figure minimum median maximum; }

# show WHO TEXT NAME: minimum, median and maximum of a figure, four digits or more
show() {
	sort -g "$work/figure.$3" | awk -v who="$1" -v text="$2" '
		function short(x) { return sprintf(x < 1000 ? "%.4g" : "%.0f", x) }
		{ v[NR] = $1 }
		END {
			median = (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2
			printf "%-10s %-40s %12s %12s %12s\n", who, text, short(v[1]), short(median), short(v[NR])
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
	mkfifo "$1.log"
	began=$(milliseconds)
	"$work/thingd" serve --data "$1" --host localhost --profile mqtt \
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

start_mosquitto() { # sets mosquitto_pid and mosquitto_port
	local mosquitto
	mosquitto=$(PATH=$PATH:/usr/sbin:/usr/local/sbin command -v mosquitto) || fail "mosquitto is not installed; tools/setup/setup.sh bench does it"
	mosquitto_port=$(free_port)
	mkdir "$work/store"
	# Without TCP_NODELAY its throughput is higher, so that is what it gets.
	cat >"$work/mosquitto.conf" <<-CONF
		user $(id -un)
		allow_anonymous true
		log_type error
		persistence true
		persistence_location $work/store/
		max_queued_messages 0
		max_inflight_messages 0
		set_tcp_nodelay false
		listener $mosquitto_port 127.0.0.1
		cafile $work/certs/ca.pem
		certfile $work/certs/server.pem
		keyfile $work/certs/server.key
		require_certificate true
	CONF
	"$mosquitto" -c "$work/mosquitto.conf" 2>"$work/mosquitto.log" &
	mosquitto_pid=$!
	servers+=("$mosquitto_pid")
	for _ in $(seq 100); do
		(exec 3<>"/dev/tcp/127.0.0.1/$mosquitto_port") 2>/dev/null && return
		sleep 0.05
	done
	fail "mosquitto did not start: $(cat "$work/mosquitto.log")"
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
	connect) echo "connect -insecure -tls-version 1.3 $time" ;;
	fanin?) echo "fanin -n 50 -qos $qos $time" ;;
	fanout?) echo "fanout -n 100 -qos $qos $time" ;;
	pairs?) echo "pairs -n 50 -qos $qos $time" ;;
	esac
}

# unit SCENARIO: the field of the report, and what it says
unit() {
	case $1 in
	connect) echo "connects_per_server_cpu_s connects per CPU-second" ;;
	*) echo "out_per_server_cpu_s messages per CPU-second" ;;
	esac
}

# load WHO SCENARIO PORT PID CA: one run, recorded as WHO.SCENARIO
load() {
	local report=$work/report key value
	read -r key _ <<<"$(unit "$2")"
	# shellcheck disable=SC2046 # words
	"$work/mqttload" $(options "$2") -json -addr "localhost:$3" -pid "$4" -ca "$5" \
		-cert "$work/certs/client-00000.pem" -key "$work/certs/client-00000.key" >"$report" 2>"$report.err" ||
		echo "bench: $1 $2: $(head -c 300 "$report.err")" >&2
	value=$(sed -n "s/.*\"$key\":\([-0-9.e+]*\).*/\1/p" "$report")
	record "$1.$2" "${value:-0}"
}

measure_alone() {
	local round
	for round in $(seq "$rounds"); do
		start_thingd "$work/empty.$round"
		record ready "$took"
		sleep 2 # what the start has used is given back, or not, by now
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
	register_device "$work/data"
	start_mosquitto
	for round in $(seq "$rounds"); do
		for scenario in $scenarios; do
			load thingd "$scenario" "$port" "$pid" "$work/data/root-ca.pem"
			load mosquitto "$scenario" "$mosquitto_port" "$mosquitto_pid" "$work/certs/ca.pem"
		done
	done
}

show_side_by_side() {
	local scenario who text
	for scenario in $scenarios; do
		read -r _ text <<<"$(unit "$scenario")"
		for who in thingd mosquitto; do show "$who" "$scenario: $text" "$who.$scenario"; done
		# Round by round, so that what disturbs a round disturbs both sides of it.
		paste "$work/figure.thingd.$scenario" "$work/figure.mosquitto.$scenario" |
			awk '{print ($2 > 0 ? $1 / $2 : 0)}' >"$work/figure.ratio.$scenario"
		show ratio "$scenario: thingd / mosquitto" "ratio.$scenario"
	done
}

# BENCH_THINGD names a binary to measure instead of this checkout's.
if [ -n "${BENCH_THINGD:-}" ]; then cp "$BENCH_THINGD" "$work/thingd"; else go build -o "$work/thingd" ./cmd/thingd; fi
go build -o "$work/mqttload" ./tools/mqttload
"$work/mqttload" certs -out "$work/certs" -n 1
measure_alone
measure_side_by_side
show_side_by_side
