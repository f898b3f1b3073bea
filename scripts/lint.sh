#!/usr/bin/env bash
# Runs golangci-lint in its pinned version, installed into .tools/ when missing.
set -euo pipefail
cd "$(dirname "$0")/.."

version=v2.15.0
tools=$PWD/.tools
linter=$tools/golangci-lint-$version

if [ ! -x "$linter" ]; then
	echo "lint: installing golangci-lint $version into .tools (some minutes)" >&2
	GOBIN=$tools go install "github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$version"
	mv "$tools/golangci-lint" "$linter"
fi
"$linter" run "$@" ./...
