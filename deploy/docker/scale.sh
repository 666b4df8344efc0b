#!/bin/sh
# Brings web apps back when too few are up. It runs on the Docker host, where
# Docker may be spoken to, and never in a balancer:
#
#   tandem watch --active --socket deploy/docker/run/lb1/control.sock \
#                --socket deploy/docker/run/lb2/control.sock \
#                pool-below-minimum -- deploy/docker/scale.sh
#
# COMPOSE may name docker-compose in place of Compose v2.
set -eu
cd "$(dirname "$0")"
exec ${COMPOSE:-docker compose} -f compose.yaml up -d --no-recreate --scale "web=$TANDEM_WANTED"
