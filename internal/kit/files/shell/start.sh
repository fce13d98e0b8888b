#!/usr/bin/env bash
# Connects {{.Thing}} to {{.Endpoint}} with the clients of mosquitto: sends a
# message a second and prints what comes back. Nothing but Debian's package
# mosquitto-clients (macOS: brew install mosquitto) is needed, and no Internet.
#
#   ./start.sh [COUNT [MESSAGE]]     COUNT 0, the default: until Ctrl+C
set -e

COUNT=${1:-0}
MESSAGE=${2:-Hello World!}
TOPIC=sdk/test/shell
SERVER=(-h {{.Endpoint}} -p {{.Port}} --cafile root-CA.crt --cert {{.Thing}}.cert.pem --key {{.Thing}}.private.key)

for tool in mosquitto_pub mosquitto_sub; do
  if ! command -v "$tool" >/dev/null 2>&1; then
    printf "\nERROR: %s must be installed (package mosquitto-clients).\n" "$tool"
    exit 1
  fi
done

if [ ! -f ./root-CA.crt ]; then
  printf "\nERROR: root-CA.crt is missing; unpack the kit again.\n"
  exit 1
fi

# A line a second, until there were COUNT of them.
send() {
  local n=1
  while [ "$COUNT" -eq 0 ] || [ "$n" -le "$COUNT" ]; do
    printf "Publishing message to topic '%s': %s [%d]\n" "$TOPIC" "$MESSAGE" "$n" >&2
    printf '"%s [%d]"\n' "$MESSAGE" "$n"
    n=$((n + 1))
    sleep 1
  done
}

printf "\nRunning pub/sub sample application...\n"

# The subscription is made first, in a session that outlives the connection, so
# that no message is too early for it; what an earlier run left is forgotten.
receive=(mosquitto_sub "${SERVER[@]}" -i sdk-shell-{{.Thing}}-sub -t "$TOPIC" -q 1)
if ! "${receive[@]}" -E || ! "${receive[@]}" -c -E; then
  printf "ERROR: could not connect or subscribe; on the server, \"thingd why sdk-shell-{{.Thing}}-sub\" says why.\n"
  exit 1
fi
printf "Subscribed to topic '%s'\n" "$TOPIC"

if [ "$COUNT" -gt 0 ]; then receive+=(-C "$COUNT"); fi
"${receive[@]}" -c -F "Received message from topic '%t': %p" &
receiver=$!
trap 'kill "$receiver" 2>/dev/null || true' EXIT
trap 'exit 130' INT TERM

send | mosquitto_pub "${SERVER[@]}" -i sdk-shell-{{.Thing}}-pub -t "$TOPIC" -q 1 -l
wait "$receiver"
printf "Disconnected!\n"
