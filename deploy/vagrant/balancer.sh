#!/bin/sh
# Makes a machine a balancer: balancer.sh ADDRESS. The package and the
# configuration lie in /tmp. Run again, it brings both up to date.
set -eu
dpkg --force-confold -i /tmp/tandem.deb
install -m 644 /tmp/tandem.toml /etc/tandem/tandem.toml
echo "TANDEM_FLAGS=--advertise=$1" > /etc/default/tandem
tandem check /etc/tandem/tandem.toml
systemctl enable tandem
systemctl restart tandem # a peer that runs has the VIP meanwhile
