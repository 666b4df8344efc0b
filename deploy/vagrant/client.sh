#!/bin/sh
# Makes a machine a client.
set -eu
command -v curl > /dev/null || { apt-get update && apt-get install -y --no-install-recommends curl; }
