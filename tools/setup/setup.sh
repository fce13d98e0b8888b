#!/bin/sh
# Installs what the tests need and this machine lacks; does nothing, quickly,
# where everything is there.
#
#   tools/setup/setup.sh          what `make test` needs
#   tools/setup/setup.sh bench    also what `make bench` compares with
#
# Debian packages come by apt-get, as root or through sudo. The Python and Node
# clients go to .setup/ in the checkout, at the versions pinned beside this
# script; nothing is installed into the system's Python or Node.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
cd "$here/../.."

fail() {
	echo "setup: $*" >&2
	exit 1
}

# want PACKAGE CHECK...: PACKAGE is missing unless the command CHECK succeeds.
missing=
want() {
	package=$1
	shift
	"$@" >/dev/null 2>&1 || missing="$missing $package"
}

has_postgresql() { ls /usr/lib/postgresql/*/bin/initdb /usr/lib/postgresql/*/bin/pg_ctl; }
has_mosquitto() { PATH=$PATH:/usr/sbin:/usr/local/sbin command -v mosquitto; }

for tool in go python3 node npm; do
	command -v "$tool" >/dev/null || fail "$tool is not installed; Go, Python 3 and Node (with npm) must be there before"
done

want ca-certificates test -e /etc/ssl/certs/ca-certificates.crt
want curl command -v curl
want unzip command -v unzip
want chromium command -v chromium
want mosquitto-clients command -v mosquitto_pub
want postgresql has_postgresql
want python3-venv python3 -c 'import ensurepip, venv'
# The race detector is linked by the C compiler.
want gcc command -v gcc
want g++ command -v g++
want libc6-dev test -e /usr/include/stdlib.h
[ "${1:-}" != bench ] || want mosquitto has_mosquitto

install_packages() {
	as_root=
	if [ "$(id -u)" != 0 ]; then
		sudo -n true 2>/dev/null || fail "please install:$missing"
		as_root=sudo
	fi
	command -v apt-get >/dev/null || fail "no apt-get here; please install what Debian calls:$missing"
	echo "setup: installing$missing" >&2
	# shellcheck disable=SC2086 # a list of words
	$as_root env DEBIAN_FRONTEND=noninteractive sh -c '
		apt-get update -q && apt-get install -y -q --no-install-recommends "$@"' sh $missing >&2 </dev/null
}
[ -z "$missing" ] || install_packages

mkdir -p .setup
# One setup at a time: two would write the same folders.
exec 9>.setup/lock
flock 9

# changed NAME FILE...: whether .setup/NAME was made from other versions of FILE
# or with another interpreter than today's.
stamp_of() { { cat "$@"; python3 --version; node --version; } | sha256sum; }
changed() {
	folder=.setup/$1
	shift
	[ "$(cat "$folder/.stamp" 2>/dev/null)" != "$(stamp_of "$@")" ]
}

if changed venv "$here/requirements.txt"; then
	echo "setup: Python clients into .setup/venv" >&2
	rm -rf .setup/venv
	python3 -m venv .setup/venv
	.setup/venv/bin/pip install -q --disable-pip-version-check --no-input -r "$here/requirements.txt" >&2
	stamp_of "$here/requirements.txt" >.setup/venv/.stamp
fi

if changed node "$here/package.json" "$here/package-lock.json"; then
	echo "setup: Node clients into .setup/node" >&2
	rm -rf .setup/node
	mkdir -p .setup/node
	cp "$here/package.json" "$here/package-lock.json" .setup/node/
	# Install scripts are not needed: the SDK carries its native part.
	(cd .setup/node && npm ci --silent --no-audit --no-fund --ignore-scripts) >&2
	stamp_of "$here/package.json" "$here/package-lock.json" >.setup/node/.stamp
fi
