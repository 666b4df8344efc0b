#!/bin/sh
# Makes a machine serve a web app that joins by itself: app.sh ADDRESS BALANCER…
# The package lies in /tmp; the app is a small one of Tandem's own, that says
# which machine answers. Put yours in its place.
set -eu
dpkg --force-confold -i /tmp/tandem.deb
address=$1
shift
cat > /etc/tandem/agent.toml << END
[agent]
name = "$(hostname)"

[cluster]
join      = [$(printf '"%s",' "$@")]
advertise = "$address"

[[app]]
pool    = "web"
port    = 3000
addr    = "$address"
process = "webapp"
check   = { http = "/healthz" }

[process.webapp]
command = ["/usr/bin/tandem", "webapp", "--listen", ":3000"]
END
tandem check --agent /etc/tandem/agent.toml
systemctl enable tandem-agent
systemctl restart tandem-agent
