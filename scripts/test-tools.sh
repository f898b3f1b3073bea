#!/usr/bin/env bash
# Installs what the tests use beside Go and is missing: a PostgreSQL server with
# PgBouncer, a Chromium, SoftHSM with a C compiler, an object store, Authlib for
# Python, and Node.js with the npm packages of the conformance suites. It installs system packages as root on a system with apt-get only;
# elsewhere it says what to install and fails.
set -euo pipefail
cd "$(dirname "$0")/.."

say() { printf 'test-tools: %s\n' "$*" >&2; }

has() { command -v "$1" >/dev/null 2>&1; }

has_postgres() {
	{ compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || has initdb; } || return 1
	# The server refuses to run as root; the tests then lend it this user.
	[ "$(id -u)" -ne 0 ] || id -u postgres >/dev/null 2>&1
}

has_pooler() { has pgbouncer || [ -x /usr/sbin/pgbouncer ]; }

has_browser() {
	local name
	for name in chromium chromium-browser google-chrome google-chrome-stable headless-shell headless_shell; do
		if has "$name"; then return 0; fi
	done
	return 1
}

has_hsm() { has softhsm2-util; }

# The system's own Python, whatever else is found first: Debian's Authlib is for it.
has_authlib() { /usr/bin/python3 -c 'import authlib, requests' 2>/dev/null; }

# cgo is needed for the build with PKCS#11 only.
has_cc() {
	has "$(go env CC)" && printf '#include <stdlib.h>\nint main(void){return 0;}\n' | "$(go env CC)" -x c -o /dev/null - 2>/dev/null
}

if ! has go; then
	say "Go is missing. Install the version that go.mod names."
	exit 1
fi

packages=()
has_postgres || packages+=(postgresql)
has_pooler || packages+=(pgbouncer)
# Without a font a page is photographed as empty boxes.
has_browser || packages+=(chromium fonts-dejavu-core)
has_hsm || packages+=(softhsm2)
has_cc || packages+=(gcc libc6-dev)
has_authlib || packages+=(python3-authlib python3-requests)
has node || packages+=(nodejs)
has npm || packages+=(npm)

if [ "${#packages[@]}" -gt 0 ]; then
	if [ "$(id -u)" -ne 0 ] || ! has apt-get; then
		say "missing for the tests: ${packages[*]} (names of Debian packages)"
		say "install them, on Debian or Ubuntu with:"
		say "  sudo apt-get update && sudo apt-get install --no-install-recommends ${packages[*]}"
		exit 1
	fi
	say "installing ${packages[*]}"
	export DEBIAN_FRONTEND=noninteractive
	apt-get -qq -o DPkg::Lock::Timeout=300 update </dev/null
	apt-get -qq -o DPkg::Lock::Timeout=300 install -y --no-install-recommends "${packages[@]}" </dev/null >/dev/null
	has_postgres && has_pooler && has_browser && has_hsm && has_cc && has_authlib && has node && has npm || {
		say "the packages are installed but a program is still not found: ${packages[*]}"
		exit 1
	}
fi

# A real object store for the tests of backups; its version stands in internal/testbucket too.
gateway=v1.8.0
if [ ! -x ".tools/versitygw-$gateway" ]; then
	say "installing the object store versitygw $gateway into .tools (some minutes)"
	GOBIN=$PWD/.tools CGO_ENABLED=0 go install -trimpath -ldflags='-s -w' "github.com/versity/versitygw/cmd/versitygw@$gateway"
	mv .tools/versitygw ".tools/versitygw-$gateway"
fi

# The exact versions of the lock files, without running their install scripts.
find conformance -name node_modules -prune -o -name package-lock.json -print | while read -r lock; do
	folder=$(dirname "$lock")
	if [ ! -e "$folder/node_modules/.package-lock.json" ] || [ "$lock" -nt "$folder/node_modules/.package-lock.json" ]; then
		say "installing the npm packages of $folder"
		npm ci --prefix "$folder" --ignore-scripts --no-audit --no-fund --loglevel=error </dev/null >/dev/null
	fi
done
