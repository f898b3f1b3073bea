#!/usr/bin/env bash
# Runs every fuzz target of the module for the given time, one after the other.
set -euo pipefail
cd "$(dirname "$0")/.."

time=${1:?usage: fuzz.sh TIME, for example 10s}
git ls-files '*_test.go' | xargs grep -oHE '^func Fuzz[A-Za-z0-9_]+' | while IFS=: read -r file function; do
	go test -run='^$' -fuzz="^${function#func }\$" -fuzztime="$time" "./$(dirname "$file")" </dev/null
done
