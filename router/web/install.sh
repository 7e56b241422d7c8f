#!/bin/sh
# Installs the page's build tools into node_modules as package-lock.json names them. Does nothing, and needs no network,
# when that has been done. Several build directories may call it at once.
set -eu
cd "$(dirname "$0")"
# Not a file in node_modules: npm ci begins by removing that.
exec 9<package.json
flock 9
if cmp -s package-lock.json node_modules/.shoal-installed; then
  exit 0
fi
echo "web page: npm ci"
if ! npm ci --no-progress --loglevel=error; then
  echo "web page: npm ci failed; the page's build tools (router/web/package.json) come from the npm registry" >&2
  exit 1
fi
cp package-lock.json node_modules/.shoal-installed
