package guide

import "fmt"

// OldHAProxy is haproxy.cfg of the pair that the migration guide is for.
const OldHAProxy = `global
	maxconn 4000
defaults
	mode http
	timeout connect 5s
	timeout client 50s
	timeout server 50s
frontend site
	bind *:80
	default_backend web
backend web
	balance roundrobin
	option httpchk GET /healthz
	server web1 192.168.42.21:3000 check
	server web2 192.168.42.22:3000 check
	server web3 192.168.42.23:3000 check
`

// OldKeepalived is keepalived.conf of one of its hosts: with the path of killall, the
// interface of the VIP, and either MASTER or BACKUP and a priority from 1 to 254.
func OldKeepalived(killall, ifname, state string, priority int) string {
	return fmt.Sprintf(`global_defs {
	script_user root
}
vrrp_script haproxy {
	script "%s -0 haproxy"
	interval 1
}
vrrp_instance site {
	state %s
	interface %s
	virtual_router_id 42
	priority %d
	advert_int 1
	virtual_ipaddress {
		192.168.42.42/24
	}
	track_script {
		haproxy
	}
}
`, killall, state, ifname, priority)
}
