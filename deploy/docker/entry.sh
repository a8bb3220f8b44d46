#!/bin/sh
# Runs one service, or the operator's tool. `exec` makes node the first process, so that it gets SIGTERM and drains.
set -eu
case "${1:-}" in
  commands | projection | gateway | api)
    exec node --enable-source-maps "/parley/dist/apps/$1/main.js"
    ;;
  operate)
    shift
    exec node --enable-source-maps /parley/dist/apps/cli/main.js "$@"
    ;;
  *)
    echo "parley: name the service to run: commands, projection, gateway, api or operate" >&2
    exit 64
    ;;
esac
